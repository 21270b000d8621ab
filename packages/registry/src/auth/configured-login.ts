import type { Credential } from "./credential.ts";
import type { Token } from "./token-cache.ts";

/** A login that is not written in the source, got from a cloud, a file or a program. */
export interface Login extends Token {
  readonly credential: Credential | undefined;
  /** ECR's host, which AWS names: it stands before the repository as it is written. */
  readonly registry?: string;
  /** Milliseconds since the epoch. */
  readonly obtainedAt: number;
}

/** What is known of a source's login without asking anybody. */
export interface LoginDescription {
  /** Where the login comes from. */
  readonly from: "nobody" | "source" | "aws" | "azure" | "docker-config";
  /** For people: `the login of ghcr.io in /etc/docker/config.json`. Without secrets, and without names of the source. */
  readonly says: string;
}
