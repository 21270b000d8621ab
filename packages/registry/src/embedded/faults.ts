import type { Reply } from "./reply.ts";

/** `*` for any; a path without its query, or a pattern for it. */
export type Method = "GET" | "HEAD" | "*";
export type PathMatch = string | RegExp;

type Headers = { readonly [name: string]: string };

/** What the registry does wrong from now on, until `clearFaults`; by route, the latest fault first. */
export interface FaultInjection {
  /** Once, instead of the real answer, and before any login. */
  answerNext(method: Method, path: PathMatch, status: number, headers?: Headers, body?: string | Buffer): void;
  answerAlways(method: Method, path: PathMatch, status: number, headers?: Headers, body?: string | Buffer): void;
  redirect(method: Method, path: PathMatch, location: string, status?: number): void;
  /** Answers as it should, after `ms`. */
  delay(method: Method, path: PathMatch, ms: number): void;
  /** Takes the request and never answers. */
  hang(method: Method, path: PathMatch): void;
  /** Drops the connection instead of answering, `times` times. */
  reset(method: Method, path: PathMatch, times?: number): void;
  /** Announces the whole body, sends this much of it and drops the connection, `times` times. */
  cutBodyAfter(method: Method, path: PathMatch, bytes: number, times?: number): void;
  /** Announces the whole body, sends this much of it and falls silent, `times` times. */
  stallBodyAfter(method: Method, path: PathMatch, bytes: number, times?: number): void;
  /** Sends this much of the body, announcing no length, and ends as if that were all, `times` times. */
  endBodyAfter(method: Method, path: PathMatch, bytes: number, times?: number): void;
  /** Sends the body in pieces of so many bytes, with a pause after each. */
  trickle(method: Method, path: PathMatch, how: { readonly bytes: number; readonly everyMs: number }): void;
  /** Takes no notice of `Range`. */
  ignoreRanges(method: Method, path: PathMatch): void;
  /** Sends spaces after the real body for ever, with no length announced. */
  endlessBody(method: Method, path: PathMatch): void;
  /** Leaves `Docker-Content-Digest` out, or puts another digest there. */
  digestHeader(method: Method, path: PathMatch, how: "omit" | "lie"): void;
  /** Adds headers to the real answer, or with `""` takes them away. */
  setHeaders(method: Method, path: PathMatch, headers: Headers): void;
  clearFaults(): void;
}

type Act =
  | { readonly kind: "answer"; readonly reply: Reply }
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "hang" }
  | { readonly kind: "reset" }
  | { readonly kind: "endless" }
  | { readonly kind: "cut"; readonly bytes: number }
  | { readonly kind: "stall"; readonly bytes: number }
  | { readonly kind: "short"; readonly bytes: number }
  | { readonly kind: "trickle"; readonly bytes: number; readonly everyMs: number }
  | { readonly kind: "whole" }
  | { readonly kind: "headers"; readonly headers: Headers };

export interface Faults extends FaultInjection {
  /** The acts for one request, each kind once; what is only for some requests is used up by this. */
  take(method: string, path: string): { readonly [Kind in Act["kind"]]?: Extract<Act, { kind: Kind }> };
}

interface Fault {
  readonly method: Method;
  readonly path: PathMatch;
  readonly act: Act;
  left: number;
}

export function createFaults(): Faults {
  let faults: Fault[] = [];
  const add = (method: Method, path: PathMatch, act: Act, left: number = Number.POSITIVE_INFINITY): void => {
    faults.unshift({ method, path, act, left });
  };
  return {
    answerNext(method, path, status, headers = {}, body = "") {
      // In the order in which they were asked for.
      const fault: Fault = { method, path, act: { kind: "answer", reply: replyOf(status, headers, body) }, left: 1 };
      const lastOnce = faults.findLastIndex(({ act, left }) => act.kind === "answer" && Number.isFinite(left));
      faults.splice(lastOnce + 1, 0, fault);
    },
    answerAlways: (method, path, status, headers = {}, body = "") =>
      add(method, path, { kind: "answer", reply: replyOf(status, headers, body) }),
    redirect: (method, path, location, status = 307) =>
      add(method, path, { kind: "answer", reply: replyOf(status, { location }, "") }),
    delay: (method, path, ms) => add(method, path, { kind: "delay", ms }),
    hang: (method, path) => add(method, path, { kind: "hang" }),
    reset: (method, path, times) => add(method, path, { kind: "reset" }, times),
    cutBodyAfter: (method, path, bytes, times) => add(method, path, { kind: "cut", bytes }, times),
    stallBodyAfter: (method, path, bytes, times) => add(method, path, { kind: "stall", bytes }, times),
    endBodyAfter: (method, path, bytes, times) => add(method, path, { kind: "short", bytes }, times),
    trickle: (method, path, how) => add(method, path, { kind: "trickle", ...how }),
    ignoreRanges: (method, path) => add(method, path, { kind: "whole" }),
    endlessBody: (method, path) => add(method, path, { kind: "endless" }),
    digestHeader: (method, path, how) =>
      add(method, path, { kind: "headers", headers: { "docker-content-digest": how === "omit" ? "" : otherDigest } }),
    setHeaders: (method, path, headers) => add(method, path, { kind: "headers", headers }),
    clearFaults: () => void (faults = []),
    take(method, path) {
      const taken: { [kind: string]: Act } = {};
      for (const fault of faults) {
        if (!matches(fault, method, path) || taken[fault.act.kind]) continue;
        taken[fault.act.kind] = fault.act;
        fault.left--;
      }
      faults = faults.filter(({ left }) => left > 0);
      return taken;
    },
  };
}

const otherDigest = `sha256:${"0".repeat(64)}`;

function replyOf(status: number, headers: Headers, body: string | Buffer): Reply {
  return { status, headers, body: Buffer.isBuffer(body) ? body : Buffer.from(body, "utf8") };
}

function matches(fault: Fault, method: string, path: string): boolean {
  if (fault.method !== "*" && fault.method !== method) return false;
  return typeof fault.path === "string" ? fault.path === "*" || fault.path === path : fault.path.test(path);
}
