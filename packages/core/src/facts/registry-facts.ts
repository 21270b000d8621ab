import { z } from "zod";
import { asker, failure, time } from "./schema.ts";

/**
 * Facts of an `imageRegistry-<id>` stream: how a registry fared with those who asked as one identity, once it has failed.
 * While it answers nothing is written.
 */
export const registryFactSchemas = {
  /** A question failed in a way that may pass, and not for what was asked alone. */
  RegistryFailed: z.object({
    /** As images name it: `docker.io`. */
    registry: z.string(),
    /** Who was asked. */
    host: z.string(),
    credential: z.string().nullable(),
    /** Whose question it was. */
    scope: z.string(),
    failure,
    retryAfterMs: z.number().exactOptional(),
    /** When the question was asked: failures of questions that were in flight together count as one. */
    askedAt: time,
    asker,
  }),
  /** After a pause one asks, until `until` at the longest; the others wait for what becomes of it. */
  RegistryProbed: z.object({ scope: z.string(), asker, until: time }),
  /** It answers again. */
  RegistryAnswered: z.object({ host: z.string(), scope: z.string(), asker }),
} as const;

export type RegistryFactType = keyof typeof registryFactSchemas;
export type RegistryFactData<T extends RegistryFactType> = z.infer<(typeof registryFactSchemas)[T]>;
