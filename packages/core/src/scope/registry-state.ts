import type { Asker, Failure, RegistryFact } from "../facts/facts.ts";
import { parseTime } from "../facts/time.ts";
import { type BackOff, backOffMs, heldUntil } from "./back-off.ts";
import { sameAsker } from "./scope-state.ts";

/** How a registry fares with those who ask as one identity, folded from its stream. */
export interface RegistryState {
  /** How many times in a row it failed; questions in flight together count once. */
  readonly failures: number;
  /** Of the last failure, until there is an answer. */
  readonly failure: {
    readonly failure: Failure;
    readonly at: number;
    readonly retryAfterMs: number;
    readonly host: string;
  } | null;
  /** The scope whose question failed first. */
  readonly scope: string | null;
  /** Whether it is the registry that fails, and not what one scope asks of it. */
  readonly isDown: boolean;
  readonly probe: { readonly asker: Asker; readonly node: string; readonly until: number } | null;
  /** When it last answered after it had failed; milliseconds since the epoch. */
  readonly answeredAt: number | null;
}

export const healthyRegistry: RegistryState = {
  failures: 0,
  failure: null,
  scope: null,
  isDown: false,
  probe: null,
  answeredAt: null,
};

/** What the fold reads of a fact: one that is not yet stored has it, too. */
export type RegistryFactAt = RegistryFact & { readonly metadata: { readonly node: string; readonly time: string } };

export function evolveRegistry(state: RegistryState, fact: RegistryFactAt): RegistryState {
  const at = parseTime(fact.metadata.time);
  switch (fact.type) {
    case "RegistryFailed": {
      const { failure, retryAfterMs = 0, scope, host, askedAt, asker } = fact.data;
      const last = state.failure;
      const isOfLastRound = last !== null && parseTime(askedAt) < last.at;
      const failed = { failure, at, retryAfterMs, host };
      const first = state.scope ?? scope;
      // Another's failure, which may have been long on its way to the store, does not stop the one who tries.
      const { node } = fact.metadata;
      const isTriers = state.probe !== null && state.probe.node === node && sameAsker(state.probe.asker, asker);
      const probe = isTriers ? null : state.probe;
      return {
        ...state,
        failures: isOfLastRound ? state.failures : state.failures + 1,
        failure: last !== null && outlasts(last, failed) ? last : failed,
        scope: first,
        isDown: state.isDown || retryAfterMs > 0 || provesDown(failure) || first !== scope,
        probe,
      };
    }
    case "RegistryProbed":
      return {
        ...state,
        probe: { asker: fact.data.asker, node: fact.metadata.node, until: parseTime(fact.data.until) },
      };
    case "RegistryAnswered":
      break;
  }
  return { ...healthyRegistry, answeredAt: at };
}

type LastFailure = NonNullable<RegistryState["failure"]>;

/** Whether the registry asked for a pause with `last` that ends later: what it was asked before does not cut that short. */
function outlasts(last: LastFailure, { at, retryAfterMs }: LastFailure): boolean {
  const until = heldUntil(last.at, last.retryAfterMs, at);
  return until !== undefined && until > at + retryAfterMs;
}

export type RegistryHealth =
  /** May be asked. */
  | { readonly kind: "up" }
  /** Nobody asks before `until`. */
  | { readonly kind: "paused"; readonly until: number; readonly failing: NonNullable<RegistryState["failure"]> }
  /** One may ask; the others wait for what becomes of it. */
  | { readonly kind: "half-open"; readonly failing: NonNullable<RegistryState["failure"]> };

/** `key` names the registry and identity: see `backOffMs`. */
export function registryHealth(
  { isDown, failure, failures }: RegistryState,
  { now, backOff, key }: { readonly now: number; readonly backOff: BackOff; readonly key: string },
): RegistryHealth {
  if (!isDown || failure === null) return { kind: "up" };
  const pauseMs = Math.max(failure.retryAfterMs, backOffMs(backOff, failures, key));
  const until = heldUntil(failure.at, pauseMs, now);
  return until === undefined ? { kind: "half-open", failing: failure } : { kind: "paused", until, failing: failure };
}

/** Failures that say something of the registry, beyond the scope that was asked for. */
export function concernsRegistry({ code }: Pick<Failure, "code">): boolean {
  return provesDown({ code }) || code === "FI_REGISTRY_TIMEOUT" || code === "FI_REGISTRY_UNAVAILABLE";
}

/** One alone is enough. A server error or a timeout may be of one repository: there it takes two scopes. */
function provesDown({ code }: Pick<Failure, "code">): boolean {
  return code === "FI_REGISTRY_UNREACHABLE" || code === "FI_RATE_LIMITED";
}

/** Whether any answer of the registry, to whatever question, shows that this failure has passed. */
export function provesUp(failure: Pick<Failure, "code">): boolean {
  return provesDown(failure);
}
