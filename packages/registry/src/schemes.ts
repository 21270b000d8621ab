import { FetchImageError } from "@fetch-image/core/registry-image";
import { nobodyListens, speaksNoTls } from "./transport/failure.ts";

/** Of hosts that may be asked by https and by http: what they were last found to speak. */
export class Schemes {
  readonly #spoken = new Map<string, URL>();
  readonly #finding = new Map<string, { readonly found: Promise<void>; readonly end: () => void }>();

  spokenBy(host: string): URL | undefined {
    return this.#spoken.get(host);
  }

  /** Resolves when another question may have found out; undefined when none is about to. */
  beingFound(host: string): Promise<void> | undefined {
    return this.#finding.get(host)?.found;
  }

  /** Others wait for what it finds, but not for an answer that is long in coming. */
  find(host: string, answer: Promise<unknown>): void {
    let found!: () => void;
    const waiting = new Promise<void>((resolve) => {
      found = resolve;
    });
    const end = (): void => {
      clearTimeout(timer);
      if (this.#finding.get(host)?.end === end) this.#finding.delete(host);
      found();
    };
    const timer = setTimeout(end, longestFindingMs).unref();
    this.#finding.set(host, { found: waiting, end });
    answer.then(end, end);
  }

  answered(host: string, origin: URL): void {
    this.#finding.get(host)?.end();
    if (this.#spoken.size < maxSpoken && this.#spoken.get(host) === origin) return;
    this.#spoken.delete(host);
    this.#spoken.set(host, origin);
    const [oldest] = this.#spoken.keys();
    if (this.#spoken.size > maxSpoken && oldest !== undefined) this.#spoken.delete(oldest);
  }

  failed(host: string): void {
    this.#spoken.delete(host);
  }
}

const maxSpoken = 1000;
/** A handshake that fails does so at once. */
const longestFindingMs = 500;

/** What one question learns of a host that may be asked by both. */
export class Attempt {
  mayTryHttp = false;
  readonly #schemes: Schemes;
  readonly #host: string;
  #answered = false;

  constructor(schemes: Schemes, host: string) {
    this.#schemes = schemes;
    this.#host = host;
  }

  answered(origin: URL): void {
    this.#answered = true;
    this.#schemes.answered(this.#host, origin);
  }

  failed(error: unknown, origin: URL): void {
    if (this.#answered) return;
    this.#schemes.failed(this.#host);
    this.mayTryHttp = mayTryHttp(error, origin);
  }
}

// A bad certificate is no reason: whoever shows one does speak TLS. Nor is a refused connection where both schemes
// share the port that stands in the reference.
function mayTryHttp(error: unknown, { host, port }: URL): boolean {
  if (!FetchImageError.is(error) || error.details["host"] !== host) return false;
  return speaksNoTls(error) || (port === "" && nobodyListens(error));
}
