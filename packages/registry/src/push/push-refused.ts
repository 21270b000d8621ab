import { FetchImageError } from "@fetch-image/core/registry-image";
import type { Target } from "../locate.ts";
import type { Answer, Method } from "../transport/transport.ts";
import type { Push } from "./push-image.ts";

/** The rights of whoever pushes. What blobs are mounted from is to be readable as well. */
export function pushScopes({ path }: Target, mountFrom?: string): readonly string[] {
  const own = `repository:${path}:pull,push`;
  return mountFrom === undefined ? [own] : [own, `repository:${mountFrom}:pull`];
}

/** The error that an answer to a push stands for. */
export async function pushRefused(push: Push, answer: Answer<Method>, subject: string): Promise<FetchImageError> {
  const { conversation, target } = push;
  const error = await conversation.refused(target, answer, subject);
  const { status } = answer;
  if (status === 405 || status === 501) return said(error, "FI_REGISTRY_PROTOCOL", readOnly);
  if (error.code !== "FI_FORBIDDEN" && error.code !== "FI_UNAUTHORIZED") return error;
  return said(error, error.code, `Give the login of ${target.domain} the right to push to ${target.path}.`);
}

const readOnly = "It takes no pushes: name a registry that is no mirror and is not in read-only mode.";

function said(error: FetchImageError, code: FetchImageError["code"], hint: string): FetchImageError {
  return new FetchImageError(code, { message: error.message, hint, details: error.details, cause: error.cause });
}
