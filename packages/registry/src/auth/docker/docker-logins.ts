import type { JsonObject } from "@fetch-image/core/registry-image";
import type { RegistrySettings } from "../../settings.ts";
import { createSecrets } from "../../transport/redact.ts";
import type { Login } from "../configured-login.ts";
import { type Credential, credentialOf, identityTokenCredential } from "../credential.ts";
import { askHelper } from "./credential-helper.ts";
import type { DockerConfig, DockerEntry } from "./docker-config.ts";

/** Who asks, by this entry; what must be kept apart, without what proves it. */
export function dockerIdentity(entry: DockerEntry): JsonObject {
  const { server } = entry;
  if (entry.kind === "helper") return { server, helper: entry.helper };
  return { server, username: entry.username, ...(entry.kind === "identity-token" ? { token: true } : {}) };
}

export function describeEntry(entry: DockerEntry, { path }: DockerConfig): string {
  return entry.kind === "helper"
    ? `the login that docker-credential-${entry.helper} has for ${entry.server}, as ${path} says`
    : `the login of ${entry.server} in ${path}`;
}

/** Everything that decides which login an entry gives. Holds secrets: to be hashed. */
export function dockerKey(entry: DockerEntry): readonly unknown[] {
  return ["docker", ...Object.entries(entry).flat()];
}

/** The login of an entry; without a credential where a helper knows none, as `docker` then asks anonymously. */
export async function dockerLogin(entry: DockerEntry, { now, timeouts, limits }: RegistrySettings): Promise<Login> {
  const bounds = { timeoutMs: timeouts.exchangeMs, maxBytes: limits.tokenBytes };
  const credential =
    entry.kind === "helper"
      ? await askHelper(entry.helper, { ...entry, ...bounds, secrets: createSecrets() })
      : plain(entry);
  const obtainedAt = now();
  // Helpers do not say when their answer ends. What the file holds is read again with the file.
  return { value: credential?.key ?? "", credential, obtainedAt, freshUntil: obtainedAt + helperAnswerMs };
}

const helperAnswerMs = 5 * 60_000;

function plain(entry: Exclude<DockerEntry, { kind: "helper" }>): Credential | undefined {
  return entry.kind === "password" ? credentialOf(entry) : identityTokenCredential(entry.username, entry.token);
}
