import { FetchImageError, showText } from "@fetch-image/core";

/** A Secret as the API server gives it: whatever of it matters may be missing. */
export interface PullSecret {
  readonly metadata?: { readonly name?: string };
  readonly type?: string;
  readonly data?: { readonly [key: string]: string };
}

/** `FI_PULL_SECRET_INVALID`, saying nothing of what the Secret holds. */
export function pullSecretInvalid(secret: PullSecret, problem: string): FetchImageError {
  const name = nameOf(secret);
  const message = `pull secret ${showText(name)}: ${problem}`;
  return new FetchImageError("FI_PULL_SECRET_INVALID", { message, details: { secret: name } });
}

export function nameOf({ metadata }: PullSecret): string {
  return metadata?.name ?? "(unnamed)";
}
