import { createHash } from "node:crypto";
import {
  type Digest,
  type Hash,
  type RecalledDigest,
  type RegistryImageSource,
  scopeOf,
} from "@fetch-image/core/registry-image";

/** What tags pointed to when they were asked for last, by who asks whom. In memory only, and bounded. */
export interface TagBook {
  /** Sources of one repository, credential, mirror and trust share what they learn, however they choose their tags. */
  of(source: RegistryImageSource, target: { readonly name: string }): TagMemory;
}

export interface TagMemory {
  learn(tag: string, digest: Digest | "absent", at: number): void;
  /** Forgets what is not listed any more. */
  keepOnly(tags: readonly string[]): void;
  /** Everything that is remembered; what was learned at or after `since` is recent. */
  recall(since: number): ReadonlyMap<string, RecalledDigest>;
}

interface Learned {
  readonly digest: Digest | "absent";
  readonly at: number;
}

/** At some 250 bytes each. */
const mostTags = 100_000;

export function createTagBook(bound: number = mostTags): TagBook {
  const repositories = new Map<string, Map<string, Learned>>();
  let size = 0;

  return {
    of(source, { name }) {
      // Only when it is used: a source with a tag never does.
      let key: string | undefined;
      const known = (): Map<string, Learned> => {
        key ??= `${keyOf(source)} ${name}`;
        const tags = repositories.get(key);
        if (tags === undefined) return new Map();
        // The one that was used last comes last.
        repositories.delete(key);
        repositories.set(key, tags);
        return tags;
      };
      return {
        learn(tag, digest, at) {
          const tags = known();
          size += tags.has(tag) ? 0 : 1;
          tags.set(tag, { digest, at });
          if (key !== undefined) repositories.set(key, tags);
          forgetOldest();
        },
        keepOnly(listed) {
          const tags = known();
          const kept = new Set(listed);
          for (const tag of tags.keys()) if (!kept.has(tag) && tags.delete(tag)) size -= 1;
        },
        recall(since) {
          const recalled = [...known()].map(([tag, { digest, at }]) => [tag, { digest, recent: at >= since }] as const);
          return new Map(recalled);
        },
      };
    },
  };

  function forgetOldest(): void {
    for (const [key, tags] of repositories) {
      if (size <= bound) return;
      size -= tags.size;
      repositories.delete(key);
    }
  }
}

// With a tag, whichever, a scope is told apart by all that can change what a tag points to, and by nothing else.
function keyOf(source: RegistryImageSource): string {
  return scopeOf("registry-image", { ...source, tag: "any" }, hash).id;
}

const hash: Hash = {
  sha1Hex: (prefix, text) => createHash("sha1").update(prefix).update(text).digest("hex"),
  sha256Hex: (text) => createHash("sha256").update(text).digest("hex"),
};
