import type { RegistryImageSource } from "../source/registry-image-source.ts";
import type { CancelSignal } from "./cancel-signal.ts";

/** A login at one registry, as a kubelet can be given it. */
export interface PullCredential {
  /** As it stands in references: `ghcr.io`, `docker.io`. */
  readonly registry: string;
  readonly username: string;
  readonly password: string;
}

export interface PullCredentials {
  /**
   * The logins that a source brings with it: its username and password, the token of the cloud that it names, its mirror's.
   * At most one for each registry; none for a source that is asked anonymously. What a source does not say itself, such as
   * a login of this machine's Docker, is nobody else's to use. A cloud's token is got where there is none that is fresh.
   * Rejects as `ImageRegistry.resolve` does, and with `FI_SOURCE_UNSUPPORTED` where the configuration allows no such login.
   */
  pullCredentials(
    source: RegistryImageSource,
    options: { readonly signal: CancelSignal },
  ): Promise<readonly PullCredential[]>;
}
