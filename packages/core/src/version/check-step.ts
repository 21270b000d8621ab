import type { FetchImageError } from "../errors/fetch-image-error.ts";
import type { Rejected } from "../facts/facts.ts";
import type { Digest } from "../image/digest.ts";

/** A version that a check found. */
export interface TaggedDigest {
  readonly tag: string;
  readonly digest: Digest;
}

/** The version from which a check goes on, as its caller has it. A digest that is none is as good as no digest. */
export interface VersionCursor {
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

/** What is known of a repository. A step asks for what is missing here, and for nothing that is not. */
export interface RepositoryFacts {
  /** Every tag, in the registry's order. */
  readonly tags?: readonly string[];
  /** The digest that a tag points to; absent where the registry answers 404. */
  readonly digests: ReadonlyMap<string, Digest | "absent">;
  /** Whether the registry has the manifest with this digest. */
  readonly present: ReadonlyMap<Digest, boolean>;
  /** The config's `created` as it stands there, undefined where it is missing; of an index, its linux/amd64 image's. */
  readonly created: ReadonlyMap<Digest, string | undefined>;
  /** What earlier checks learned of tags. Only who wants the newest alone is spared questions by it. */
  readonly recalled?: ReadonlyMap<string, RecalledDigest>;
}

/** What a tag pointed to when it was asked for last, before this check. */
export interface RecalledDigest {
  readonly digest: Digest | "absent";
  /** Learned so lately that it counts as if it were learned now, as far as it only tells other tags apart. */
  readonly recent: boolean;
}

/** `newest`: only the last version of the answer, for as few questions as that can be told from. */
export type WantedVersions = "all" | "newest";

/**
 * What a check does next: questions to the registry, whose answers are added to the facts for the step after, or the
 * end. A step's questions may be asked in any order and at the same time. An error to one of them is the check's.
 */
export type CheckStep =
  | { readonly next: "list-tags" }
  | { readonly next: "resolve-tags"; readonly tags: readonly string[] }
  | { readonly next: "probe-digest"; readonly digest: Digest }
  | { readonly next: "read-created"; readonly digests: readonly Digest[] }
  | {
      readonly next: "answer";
      /** Oldest first, as the resource answers them; none where nothing is found. At most one for `newest`. */
      readonly versions: readonly TaggedDigest[];
      /**
       * Each tag, or the cursor's digest, that is not among the versions, and why; for `newest` those that were asked for
       * come first, and what was not asked for is not told. The tags come from the registry.
       */
      readonly rejected: readonly Rejected[];
      /** How many tags the rule lets in, before a cursor and before any was asked for. */
      readonly candidates: number;
    }
  | { readonly next: "fail"; readonly error: FetchImageError };
