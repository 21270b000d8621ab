import { z } from "zod";
import { asker, failure, jsonObject, time, version } from "./schema.ts";

/** As `credentialProof` makes it, of who asked; absent where the source held no secret. Others' answers are not for him. */
const proof = z.string().exactOptional();

/** Facts of an `imageScope-<id>` stream: what was asked of a registry, and what it answered. */
export const scopeFactSchemas = {
  /** A fetch asks the registry; the others wait for its answer, until `until` at the longest. */
  CheckClaimed: z.object({
    scope: z.string(),
    type: z.string(),
    /** Canonical, without tag. */
    repository: z.string(),
    /** The source's tag; absent where the versions are found among all tags. */
    tag: z.string().exactOptional(),
    source: jsonObject,
    credential: z.string().nullable(),
    proof,
    asker,
    until: time,
  }),
  VersionObserved: z.object({
    version,
    /** Whether it differs from the scope's version before. */
    changed: z.boolean(),
    via: z.enum(["HEAD", "GET"]),
    host: z.string(),
    status: z.number(),
    /** What to pull from, where only the login told it. */
    repository: z.string().exactOptional(),
    proof,
    asker,
  }),
  /** The registry no longer has the tag, or none that the source wants. */
  VersionVanished: z.object({ tag: z.string().exactOptional(), host: z.string(), status: z.number(), proof, asker }),
  CheckFailed: z.object({ failure, retryAfterMs: z.number().exactOptional(), proof, asker }),
  RateLimitObserved: z.object({
    host: z.string(),
    limit: z.number().exactOptional(),
    remaining: z.number().exactOptional(),
    windowSeconds: z.number().exactOptional(),
  }),
} as const;

export type ScopeFactType = keyof typeof scopeFactSchemas;
export type ScopeFactData<T extends ScopeFactType> = z.infer<(typeof scopeFactSchemas)[T]>;
