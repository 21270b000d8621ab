import type { PolicyDecision } from "@fetch-image/core";

/** Paths of keys into what an agent answers. */
export interface ResultKeys {
  readonly allowed: readonly string[];
  readonly shouldBlock: readonly string[];
  readonly messages: readonly string[];
}

/** Reads an agent's answer as Concourse does (upstream atc/policy/opa/result.go): no word on blocking means to block. */
export function decisionIn(answer: unknown, keys: ResultKeys): PolicyDecision | { readonly problem: string } {
  const allowed = at(answer, keys.allowed);
  if (allowed === undefined) return { problem: `it has no ${keys.allowed.join(".")}` };
  if (typeof allowed !== "boolean") return { problem: `${keys.allowed.join(".")} is no boolean` };
  const block = at(answer, keys.shouldBlock) ?? !allowed;
  if (typeof block !== "boolean") return { problem: `${keys.shouldBlock.join(".")} is no boolean` };
  const messages = at(answer, keys.messages) ?? [];
  if (!isTexts(messages)) return { problem: `${keys.messages.join(".")} is no list of texts` };
  if (allowed) return { decision: "allowed" };
  return { decision: "denied", enforcement: block ? "hard" : "soft", reasons: messages };
}

function at(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = Reflect.get(found, key);
  }
  return found;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
