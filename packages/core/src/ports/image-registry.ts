import type { Digest } from "../image/digest.ts";
import type { RegistryImageSource } from "../source/registry-image-source.ts";
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
}

export interface ImageRegistry {
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
}
