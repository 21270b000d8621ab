import { type CancelSignal, FetchImageError } from "@fetch-image/core/registry-image";
import type { RegistrySettings } from "./settings.ts";
import { aborted } from "./transport/deadline.ts";

/**
 * How long one image's download puts up with its registry: the time during which anything of it was failing, waiting
 * for another try included. What goes well in between costs nothing, so a large image over a bad line still arrives.
 */
export interface Patience {
  /** Asks until there is an answer. Rejects as `Trouble.again` does. */
  insist<T>(ask: () => Promise<T>, signal: CancelSignal): Promise<T>;
  /** The troubles of one request, or of one body that is asked for in pieces. */
  expect(): Trouble;
  /** The registry has answered: from now on it is known to be there. */
  answered(): void;
}

interface Trouble {
  /**
   * Resolves when it is time to try again. Rejects with `error` where trying again cannot help; once the patience is
   * used up or would be before the next try, with the same code, saying until when; with `FI_ABORTED` on `signal`.
   */
  again(error: unknown, signal: CancelSignal): Promise<void>;
  /** It goes well again. */
  over(): void;
}

const firstWaitMs = 500;
const longestWaitMs = 30_000;

export function createPatience(
  ms: number,
  { now, after, random }: Pick<RegistrySettings, "now" | "after" | "random">,
): Patience {
  let isThere = false;
  // Of several troubles at the same time, the time counts once.
  let [troubles, since, lost] = [0, 0, 0];
  const used = (): number => lost + (troubles > 0 ? now() - since : 0);
  const patience: Patience = {
    answered: () => void (isThere = true),
    async insist(ask, signal) {
      const trouble = patience.expect();
      try {
        for (;;) {
          try {
            const answer = await ask();
            isThere = true;
            return answer;
          } catch (error) {
            await trouble.again(error, signal);
          }
        }
      } finally {
        trouble.over();
      }
    },
    expect() {
      let [inTrouble, tries] = [false, 0];
      return {
        async again(error, signal) {
          if (signal.aborted || !mayPass(error, isThere)) throw error;
          const usedBefore = used();
          if (!inTrouble && troubles++ === 0) since = now();
          inTrouble = true;
          const asked = retryAfterOf(error) ?? 0;
          const exponential = Math.min(firstWaitMs * 2 ** tries++, longestWaitMs);
          const wait = Math.max(exponential * (0.5 + random() / 2), asked);
          if (used() + wait > ms) throw givenUp(error, { usedMs: used(), ms, now: now(), first: usedBefore === 0 });
          await pause(wait, after, signal);
        },
        over() {
          if (inTrouble && --troubles === 0) lost += now() - since;
          [inTrouble, tries] = [false, 0];
        },
      };
    },
  };
  return patience;
}

// Answers that distribution's clients try again (registry-image-resource: 429; go-containerregistry: 408, 500, 502,
// 503, 504), and connections that break.
const passingStatuses: ReadonlySet<unknown> = new Set([408, 429, 500, 502, 503, 504]);
const brokenOff: ReadonlySet<unknown> = new Set([
  "ECONNRESET",
  "EPIPE",
  "UND_ERR_SOCKET",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
  "exchange",
  "cut",
  "slow",
]);

// A host that was never there is more likely misspelt than out for a moment: that is told at once.
function mayPass(error: unknown, isThere: boolean): error is FetchImageError {
  if (!FetchImageError.is(error) || !error.retryable) return false;
  const { status, reason } = error.details;
  if (status !== undefined && reason === undefined) return passingStatuses.has(status);
  return brokenOff.has(reason) || (isThere && connectionCodes.has(error.code));
}

const connectionCodes: ReadonlySet<string> = new Set(["FI_REGISTRY_UNREACHABLE", "FI_REGISTRY_TIMEOUT"]);

function retryAfterOf({ details }: FetchImageError): number | undefined {
  const { retryAfterMs } = details;
  return typeof retryAfterMs === "number" ? retryAfterMs : undefined;
}

// Nobody is to add another patience to the one that is used up. Where none of it was spent, since the registry asked for
// more than all of it, the caller may be the more patient one.
function givenUp(
  error: FetchImageError,
  { usedMs, ms, now, first }: { usedMs: number; ms: number; now: number; first: boolean },
): FetchImageError {
  const asked = retryAfterOf(error);
  const until = asked === undefined ? undefined : timeText(now + asked);
  const limit = until === undefined ? "" : `; limited until ${until}`;
  const spent = `${Math.round(usedMs / 1000)} s`;
  const bound = `a download waits ${Math.round(ms / 1000)} s in all`;
  return new FetchImageError(error.code, {
    message: `${error.message}${limit}; given up after ${spent} of trouble at ${timeText(now)} (${bound})`,
    hint: error.hint,
    retryable: first,
    details: { ...error.details, ...(until === undefined ? {} : { until }), troubleMs: usedMs, patienceMs: ms },
    cause: error.cause,
  });
}

function timeText(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? "the end of time" : time.toISOString();
}

function pause(ms: number, after: RegistrySettings["after"], signal: CancelSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      cancel();
      signal.removeEventListener("abort", onAbort);
      settle();
    };
    const onAbort = (): void =>
      end(() => reject(FetchImageError.is(signal.reason) ? signal.reason : aborted(signal.reason)));
    signal.addEventListener("abort", onAbort, { once: true });
    const cancel = after(ms, () => end(resolve));
  });
}
