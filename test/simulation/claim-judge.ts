import { type Asker, parseTime, type RecordedScopeFact, sameAsker, type ScopeState } from "@fetch-image/core";
import type { World } from "./world.ts";

export interface Claim {
  readonly node: string;
  readonly asker: Asker;
  /** Milliseconds since the epoch, by the clock of the one who claimed. */
  readonly until: number;
  readonly at: number;
  /** When it was stored, by the world's clock. */
  readonly storedAt: number;
  /** Another's answer has ended it. Who has not heard by then that it is stored cannot know, and may ask under it. */
  isEnded: boolean;
}

/** As it was before the claim. */
interface ClaimedScope {
  readonly state: ScopeState;
  readonly lastClaim: Claim | undefined;
}

type Claimed = Extract<RecordedScopeFact, { type: "CheckClaimed" }>;

export interface ClaimJudgeOptions {
  readonly soleNode: boolean;
  readonly claimMs: number;
  readonly clocksJump: boolean;
  readonly backOff: { readonly baseMs: number; readonly capMs: number };
  /** How old an observation may be for a fetch; milliseconds. */
  readonly maxAge: (asker: Asker) => number;
  readonly isByHand: (asker: Asker) => boolean;
  readonly isAlive: (node: string) => boolean;
}

/** Holds claims of scopes against the promises: in turn, not before a pause is over, and not of what is fresh. */
export class ClaimJudge {
  readonly #world: World;
  readonly #options: ClaimJudgeOptions;

  constructor(world: World, options: ClaimJudgeOptions) {
    this.#world = world;
    this.#options = options;
  }

  judge(scope: ClaimedScope, claimed: Claimed, where: string): void {
    this.#judgeTurn(scope, claimed, where);
    this.#judgePause(scope, claimed, where);
    this.#judgeNeed(scope, claimed, where);
  }

  #judgeTurn({ state: { claim }, lastClaim }: ClaimedScope, { data, metadata }: Claimed, where: string): void {
    if (claim === null || sameAsker(claim.asker, data.asker)) return;
    if (this.hasRunOut(lastClaim, parseTime(metadata.time))) return;
    // Who knows that there is no other process takes over at once from the one that died, and from a question of its own that
    // was given up: two of them in flight would be noticed as they are asked.
    if (this.#options.soleNode && (claim.node === metadata.node || !this.#options.isAlive(claim.node))) return;
    this.#world.broken(`${where}: ${metadata.node} claims what ${claim.node} holds`);
  }

  /**
   * Whether the claim had run out when another was made, at `at` by the clock of its node: by that clock, or since it had
   * stood for its time. From when on he counted that by a clock which jumps cannot be told.
   */
  hasRunOut(claim: Claim | undefined, at: number | undefined): boolean {
    if (claim === undefined || at === undefined) return false;
    const { claimMs, clocksJump } = this.#options;
    return claim.until <= at || clocksJump || this.#world.now() - claim.storedAt >= claimMs;
  }

  /** A scope that failed is asked less: not before the least that its back-off can last, but by hand. */
  #judgePause({ state }: ClaimedScope, { data, metadata }: Claimed, where: string): void {
    const { failure, failures } = state;
    if (failure === null || failures === 0 || this.#options.isByHand(data.asker)) return;
    // Any answer of the registry shows that it can be reached again.
    if (["FI_RATE_LIMITED", "FI_REGISTRY_UNREACHABLE"].includes(failure.failure.code)) return;
    const { baseMs, capMs } = this.#options.backOff;
    const leastMs = Math.max(Math.min(baseMs * 2 ** (failures - 1), capMs) * 0.75, failure.retryAfterMs);
    const at = parseTime(metadata.time);
    // Decided a while before, where the registry was to be tried: a clock that was too wrong then may be just right now.
    const isOfWrongClock = failure.at > at + clocksDifferMs - longestTurnMs;
    if (!isOfWrongClock && at < failure.at + leastMs) {
      this.#world.broken(`${where}: ${at - failure.at} ms after failure ${failures} of the scope`);
    }
  }

  /** What is fresh is not asked for again, but by hand. */
  #judgeNeed({ state: { current } }: ClaimedScope, { data: { asker }, metadata }: Claimed, where: string): void {
    if (current === null || this.#options.isByHand(asker)) return;
    const age = parseTime(metadata.time) - parseTime(current.observedAt);
    if (age >= -clocksDifferMs && Math.max(age, 0) < this.#options.maxAge(asker)) {
      this.#world.broken(`${where}: it was answered ${age} ms before`);
    }
  }
}

const clocksDifferMs = 5000;
/** From the decision to the claim, with the store's delays. */
const longestTurnMs = 2500;
