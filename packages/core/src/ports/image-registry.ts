import type { Rejected } from "../facts/facts.ts";
import type { Digest } from "../image/digest.ts";
import type { JsonObject } from "../json.ts";
import type { RegistryImageSource } from "../source/registry-image-source.ts";
import type { TaggedDigest, VersionCursor, WantedVersions } from "../version/check-step.ts";
import type { CancelSignal } from "./cancel-signal.ts";

/** What a registry said of its rate limit (`ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 76;w=21600`). */
export interface RateLimit {
  readonly limit?: number;
  readonly remaining?: number;
  readonly windowSeconds?: number;
}

/** How the digest became known. GET: the manifest's bytes were fetched and hashed, since HEAD gave no trustworthy one. */
export interface Resolution {
  readonly digest: Digest;
  readonly via: "HEAD" | "GET";
  /** The registry's host that answered, `registry-1.docker.io` for Docker Hub. */
  readonly host: string;
  /** HTTP status of the answer that gave the digest. */
  readonly status: number;
  readonly rateLimit?: RateLimit;
  /** As in {@link RegistryCheck}. */
  readonly repository?: string;
}

/** How many tags a check looked at. */
export interface TagCounts {
  /** How the newest is told among them. */
  readonly by: "semver" | "tag_regex" | "created_at_sort";
  readonly listed: number;
  /** Let in by the source's rule. */
  readonly candidates: number;
  /** Whose digest was asked for in this check. */
  readonly asked: number;
}

/** What a check found, and how it became known. */
export interface RegistryCheck {
  /** Oldest first; none where nothing is found. At most one where only the newest was wanted. */
  readonly versions: readonly TaggedDigest[];
  /** As `nextCheckStep` tells it, 20 at most: where there are more, the last one says how many. */
  readonly rejected: readonly Rejected[];
  /**
   * Of the answer that gave the newest version's digest. Of the last page of tags where none did: nothing was found, or
   * the digest was known before.
   */
  readonly via: "HEAD" | "GET";
  readonly host: string;
  readonly status: number;
  /** As the last answer told it that told one. */
  readonly rateLimit?: RateLimit;
  /** Absent where the source has a tag. */
  readonly among?: TagCounts;
  /**
   * Canonical, without tag: what to pull from, where it is not what the source says. ECR's host holds the account, which
   * the login tells.
   */
  readonly repository?: string;
  /** Questions asked, of a mirror too; what logins and redirects add is not counted. */
  readonly requests: number;
}

export interface CheckOptions {
  /** The version to go on from, as the caller has it. */
  readonly cursor?: VersionCursor | undefined;
  /** Digests of tags that need not be asked for. A source with a `tag` has none: whether it moved is the question. */
  readonly known?: ReadonlyMap<string, Digest> | undefined;
  /** Default: all. `newest` gives the last of them alone, and costs as few questions as that can be told from. */
  readonly want?: WantedVersions | undefined;
  /**
   * For `newest`: the newest version as a check of this very source found it before. While it has its digest, tags up to
   * it are taken to have theirs, as the resource takes those up to its cursor (VERSION-RULES.md, "The newest alone").
   */
  readonly previous?: VersionCursor | undefined;
  /**
   * Digests that this client learned no longer ago are not asked for again, whoever of the same identity asked; the
   * newest's own always is. Default: everything is asked for. Of no effect on a source with a `tag`.
   */
  readonly recallMs?: number | undefined;
  readonly signal: CancelSignal;
}

/** An entry of an index. */
export interface ListedImage {
  readonly digest: Digest;
  /** `linux/arm64/v8`; absent where the index does not say. */
  readonly platform?: string;
}

export interface ImageRegistry {
  /**
   * Whether the configuration stands in the way of answering this source as the resource would: the field that asks for
   * what is not there or not allowed, and why, in words without secrets. Asks nobody. Without this method no source that
   * needs a cloud's login is asked natively.
   */
  unanswerable?(
    source: RegistryImageSource,
  ): { readonly field: keyof RegistryImageSource; readonly reason: string } | undefined;

  /**
   * Who asks for this source, where that comes from configuration and not from the source itself: two that differ never
   * share a scope, nor does one with none. Names only, never a secret; they are hashed. Asks nobody.
   */
  identity?(source: RegistryImageSource): JsonObject | undefined;

  /**
   * The digest that `tag` of the source's repository points to now. HEAD first; GET and hash only where HEAD gives no
   * trustworthy digest or is refused with 405; never a GET after 429. Undefined where the registry answers 404.
   *
   * Retries nothing by itself that the machine retries: one call is one attempt (plus one re-authentication).
   * Rejects with `FI_REGISTRY_*`, `FI_UNAUTHORIZED`, `FI_FORBIDDEN`, `FI_RATE_LIMITED` (details.retryAfterMs when the
   * registry said so), `FI_DIGEST_MISMATCH`, `FI_ANSWER_TOO_LARGE`; with `FI_ABORTED` when `signal` aborts.
   */
  resolve(
    source: RegistryImageSource,
    tag: string,
    options: { readonly signal: CancelSignal },
  ): Promise<Resolution | undefined>;

  /**
   * What a digest of the source's repository is: the images that it lists where it is an index (none where it is an image
   * itself), undefined where the registry has no such digest. One GET. Rejects as `resolve` does. Without this method a
   * shadow cannot tell a platform's digest from its index's.
   */
  listed?(
    source: RegistryImageSource,
    digest: Digest,
    options: { readonly signal: CancelSignal },
  ): Promise<readonly ListedImage[] | undefined>;

  /**
   * One attempt at a check of the source, by the rules of `versionRule` and `nextCheckStep`. A source with a `tag` costs
   * one HEAD, and one more for a cursor that it has moved away from; others the pages of the list of tags, at most one
   * HEAD (as in `resolve`) for each tag that may be a version and is not known, and with `created_at_sort` the manifest
   * and config of each digest. A mirror that fails or finds nothing leaves the answer to the registry itself.
   *
   * A failure of one question is the check's: it starts no more questions. So is a list of tags that the registry
   * refuses, be it that it knows no such repository (`FI_IMAGE_UNKNOWN`). Rejects as `resolve` does; besides with `FI_SOURCE_INVALID` and `FI_SOURCE_UNSUPPORTED`
   * naming the field, with `FI_REGISTRY_UNTRUSTED` where the next page of tags is on another origin, and for
   * `created_at_sort` with `FI_IMAGE_UNKNOWN` and `FI_PLATFORM_UNAVAILABLE`.
   */
  check(source: RegistryImageSource, options: CheckOptions): Promise<RegistryCheck>;
}
