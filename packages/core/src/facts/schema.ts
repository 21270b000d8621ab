import { z } from "zod";
import type { Json, JsonObject } from "../json.ts";

/** Schemas of the pieces that facts share. They check; what is kept is the stored data itself, so a field that a newer
 *  version added survives. */

const jsonValue: z.ZodType<Json> = z.json();
export const jsonObject: z.ZodType<JsonObject> = z.record(z.string(), jsonValue);

/** ISO 8601, UTC, milliseconds. */
export const time = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
export const version = z.record(z.string(), z.string()).readonly();
export const asker = z.object({ buildId: z.string(), fetchId: z.string() });

/** What went wrong, as stored: never an Error. `message` names the culprit; secrets were cut where it was made. */
export const failure = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().exactOptional(),
  retryable: z.boolean(),
  details: jsonObject.exactOptional(),
  /** The failure behind this one: the registry's behind `image check failed`. */
  cause: z
    .looseObject({
      code: z.string(),
      message: z.string(),
      hint: z.string().exactOptional(),
      details: jsonObject.exactOptional(),
    })
    .exactOptional(),
});

/** How a check's answer became known. */
const checkVia = z.enum(["HEAD", "GET", "fresh", "joined", "step", "stale-served"]);

/** Where an answer came from. */
export const checkEvidence = z.object({
  via: checkVia,
  /** When the registry gave the digest: earlier than the fact for `fresh`, `joined` and `stale-served`. */
  observedAt: time,
  host: z.string().exactOptional(),
  status: z.number().exactOptional(),
  /** Canonical, without tag: what to pull from, where only the login told it (ECR's host holds the account). */
  repository: z.string().exactOptional(),
  /** Identity of the credential used, never the credential; null for anonymous. */
  credential: z.string().nullable().exactOptional(),
  rateLimit: z
    .looseObject({
      limit: z.number().exactOptional(),
      remaining: z.number().exactOptional(),
      windowSeconds: z.number().exactOptional(),
    })
    .exactOptional(),
  /** How many tags the version was found among; absent where the source has a tag. */
  among: z
    .looseObject({
      by: z.string(),
      listed: z.number(),
      candidates: z.number(),
      asked: z.number(),
    })
    .exactOptional(),
  /** Why an answer older than the interval was taken, and how old it may be at most. */
  stale: z
    .looseObject({
      /** `budget`: few of the registry's requests are left. `retry-after`: it asked for a pause. `failing`: it failed.
       *  `revalidating`: one check runs beside the fetch. */
      because: z.string(),
      boundMs: z.number(),
      /** Until when the registry is not asked. */
      until: time.exactOptional(),
      /** What went wrong, where something did. */
      error: z.looseObject({ code: z.string(), message: z.string() }).exactOptional(),
    })
    .exactOptional(),
  /** Whose check it was, where it was another fetch's. */
  asker: asker.exactOptional(),
});

/** A candidate for the version that was not taken, and why. */
export const rejected = z.object({ candidate: z.string(), reason: z.string() });

/** `pin`: the image resource's own version. `plan`: the get plan's static version, after a check without a digest.
 *  `tag`, `latest`: unpinned, since nobody knew a digest. The others say how the check knew. */
export const resolvedVia = z.enum([
  "pin",
  "plan",
  "tag",
  "latest",
  "HEAD",
  "GET",
  "fresh",
  "joined",
  "step",
  "stale-served",
]);
