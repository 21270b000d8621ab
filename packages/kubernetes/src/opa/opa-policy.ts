import {
  FetchImageError,
  type JsonObject,
  type Policy,
  type PolicyDecision,
  type PolicyQuestion,
} from "@fetch-image/core";
import { createOpaClient } from "./opa-client.ts";
import { decisionIn, type ResultKeys } from "./opa-result.ts";

/** As Concourse's own settings of the same names. */
export interface OpaOptions {
  /** The decision's address: `http://127.0.0.1:8181/v1/data/concourse/decision`. */
  readonly url: string;
  /** One question's time, in milliseconds. Default 5000. */
  readonly timeoutMs?: number;
  /** How often one question is asked in all, where the agent cannot be reached or has trouble of its own. Default 3. */
  readonly attempts?: number;
  /** PEM certificates that the agent's is checked against, beside the system's. */
  readonly ca?: string;
  /** `cluster_name` in the input. Default: empty, as Concourse's. */
  readonly clusterName?: string;
  /** `cluster_version` in the input. */
  readonly clusterVersion?: string;
  /** Where the result has a boolean. Default `result.allowed`. */
  readonly allowedKey?: string;
  /** Where the result has a boolean, that of a denial is not a warning. Default `result.block`. */
  readonly shouldBlockKey?: string;
  /** Where the result has a list of texts. Default `result.reasons`. */
  readonly messagesKey?: string;
}

/**
 * Asks an Open Policy Agent, in Concourse's words (upstream atc/policy/checker.go): action `UseImage`, with the image's
 * type, its source without credentials, and whether it is privileged. Policies that are there already answer it. It is
 * asked again once the digest is known; then `data.image_reference` is there too. Throws `FI_SETTING_INVALID`. Questions
 * reject with `FI_POLICY_UNAVAILABLE`, saying nothing of the URL beyond its host.
 */
export function createOpaPolicy(options: OpaOptions): Policy {
  const { clusterName = "", clusterVersion = "" } = options;
  const client = createOpaClient(options);
  const keys: ResultKeys = {
    allowed: (options.allowedKey ?? "result.allowed").split("."),
    shouldBlock: (options.shouldBlockKey ?? "result.block").split("."),
    messages: (options.messagesKey ?? "result.reasons").split("."),
  };
  return {
    async decide(question, { signal }): Promise<PolicyDecision> {
      const input = { service: "concourse", cluster_name: clusterName, cluster_version: clusterVersion };
      const answer = await client.ask({ input: { ...input, ...inputOf(question) } }, signal);
      const decision = decisionIn(answer, keys);
      if ("decision" in decision) return decision;
      throw new FetchImageError("FI_POLICY_UNAVAILABLE", {
        message: `the policy agent at ${client.host} gave no decision: ${decision.problem}`,
        hint: "Check the opa-url and the keys of its result: an address with no rule behind it answers {}.",
        retryable: false,
        details: { host: client.host },
      });
    },
  };
}

/** Fields that Concourse leaves out where they are empty are left out. */
function inputOf({ team, pipeline, type, source, privileged, reference }: PolicyQuestion): JsonObject {
  return {
    action: "UseImage",
    ...(team ? { team } : {}),
    ...(pipeline ? { pipeline } : {}),
    data: {
      image_type: type,
      image_source: source,
      privileged,
      ...(reference === undefined ? {} : { image_reference: reference }),
    },
  };
}
