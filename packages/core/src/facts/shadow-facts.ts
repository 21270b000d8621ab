import { z } from "zod";
import { failure, jsonObject, time, version } from "./schema.ts";

/** What another look at the registry, or at what is known of it, showed: the evidence of an explanation. */
const look = z.looseObject({
  /** `history`: the scope's own observations. `index`: what a digest is. `again`: the tag, asked for now. `origin`: the
   *  tag at the registry itself, past the source's mirror. */
  at: z.string(),
  says: z.string(),
});

/** Facts of a `shadow-<day>` stream: images that the scheduler fetched its own way, resolved beside it and compared. */
export const shadowFactSchemas = {
  ImageCompared: z.object({
    /** The scheduler's own build. It ran what `theirs` says, never what `ours` does. */
    build: z.object({
      id: z.string(),
      team: z.string().exactOptional(),
      pipeline: z.string().exactOptional(),
      job: z.string().exactOptional(),
    }),
    /** The id of the get plan. */
    fetchId: z.string(),
    name: z.string(),
    type: z.string(),
    /** The source without credentials. */
    source: jsonObject,
    /** The resource config scope; absent where no check is ours. */
    scope: z.string().exactOptional(),
    /** One of `shadowClasses`; a newer version may know more. */
    class: z.string(),
    /** `inferred`: times allow the explanation, and nobody saw it happen. */
    proof: z.enum(["observed", "inferred"]),
    /** The explanation in words. */
    because: z.string(),
    theirs: z.object({
      digest: z.string().exactOptional(),
      tag: z.string().exactOptional(),
      /** Canonical, without tag, where they said it. */
      repository: z.string().exactOptional(),
      /** When their check asked the registry, where they said it. */
      observedAt: time.exactOptional(),
      /** When their fetch ended. */
      at: time,
      failure: z.string().exactOptional(),
      /** What it cost them, where they said it. */
      requests: z.number().exactOptional(),
      ms: z.number().exactOptional(),
    }),
    ours: z.object({
      outcome: z.enum(["resolved", "physical", "failed"]),
      version: version.exactOptional(),
      /** Canonical, without tag. */
      repository: z.string().exactOptional(),
      via: z.string().exactOptional(),
      /** When the registry gave the digest; absent for pins. */
      observedAt: time.exactOptional(),
      host: z.string().exactOptional(),
      /** The field that stands in the way of resolving natively, and why. */
      unsupported: z.object({ field: z.string(), reason: z.string() }).exactOptional(),
      failure: failure.exactOptional(),
      ms: z.number(),
    }),
    looks: z.array(look).readonly(),
    /** Questions to registries since this process's comparison before: for answers, and for explaining differences. */
    asked: z.object({ requests: z.number(), explaining: z.number() }),
    /** Comparisons that this process did not take since the one before: it had too many in hand. */
    dropped: z.number().exactOptional(),
  }),
} as const;

export type ShadowFactType = keyof typeof shadowFactSchemas;
export type ShadowFactData<T extends ShadowFactType> = z.infer<(typeof shadowFactSchemas)[T]>;
