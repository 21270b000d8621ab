import { type CancelSignal, FetchImageError } from "@fetch-image/core/registry-image";
import { type Asker, createLogins, readingOf401 } from "./auth/login.ts";
import type { Target } from "./locate.ts";
import type { RegistrySettings } from "./settings.ts";
import type { Purpose } from "./transport/dispatchers.ts";
import { unlessAborted } from "./transport/deadline.ts";
import { nobodyListens, speaksNoTls } from "./transport/failure.ts";
import { createGuard } from "./transport/guard.ts";
import { withoutSecrets } from "./transport/redact.ts";
import { nextHop } from "./transport/redirect.ts";
import { refusal } from "./transport/refusal.ts";
import type { Answer, Method, RequestBody, Transport } from "./transport/transport.ts";

interface RegistryQuestion<M extends Method> {
  readonly method: M;
  /** Below the repository: `manifests/1.0`, `blobs/sha256:…`; or a URL that the registry named itself. */
  readonly path: string | URL;
  readonly accept: string;
  readonly body?: RequestBody;
  /** The rights to ask a token server for. Default: to pull from the repository. */
  readonly scopes?: readonly string[];
  /** Further ones: `range`, say. They go wherever a redirect leads, so nothing secret. */
  readonly headers?: { readonly [name: string]: string };
  readonly purpose: Purpose;
  readonly signal: CancelSignal;
}

/** What everything that asks a registry needs. */
export interface RegistryParts {
  readonly conversation: Conversation;
  readonly settings: RegistrySettings;
}

/** Talks to registries: scheme, login and redirects, as one question and its final answer. */
export interface Conversation {
  /** The final answer, whatever its status; a first 401 has been answered by logging in. */
  ask<M extends Method>(target: Target, question: RegistryQuestion<M>): Promise<Answer<M>>;
  /** The error that an answer stands for. `subject` says what was asked for. */
  refused(target: Target, answer: Answer<Method>, subject: string): Promise<FetchImageError>;
  close(): Promise<void>;
}

export function createConversation(settings: RegistrySettings, transport: Transport): Conversation {
  const guard = createGuard(settings.allowedOrigins);
  const logins = createLogins({ transport, settings, guard });
  /** Of those that may be asked by https and by http: what they were last found to speak. */
  const spoken = new Map<string, URL>();
  /** By host: a question that finds out which. */
  const finding = new Map<string, { readonly found: Promise<void>; readonly end: () => void }>();

  return {
    ask(target, question) {
      const asking = target.renew ? askAgainIfRefused(target, question) : askEachOrigin(target, question);
      return asking.catch((error: unknown) => {
        throw withoutSecrets(error, target.secrets);
      });
    },
    async refused(target, answer, subject) {
      const error = await refusal(answer, {
        subject,
        secrets: target.secrets,
        now: settings.now(),
        errorBytes: settings.limits.errorBytes,
        reading: answer.status === 401 ? readingOf401(answer, target.credential) : undefined,
      });
      return withoutSecrets(error, target.secrets);
    },
    close: () => transport.close(),
  };

  /** A login that comes from elsewhere than the source may have ended since, or have been replaced: that is tried once. */
  async function askAgainIfRefused<M extends Method>(
    target: Target,
    question: RegistryQuestion<M>,
  ): Promise<Answer<M>> {
    const asked = target.credential;
    let answer: Answer<M> | undefined;
    try {
      answer = await askEachOrigin(target, question);
      // ECR says 403 where a login has ended.
      if (answer.status !== 401 && answer.status !== 403) return answer;
    } catch (error) {
      // A token server refuses on its own.
      const refused = FetchImageError.is(error) && error.code === "FI_UNAUTHORIZED";
      if (!refused || !(await target.renew?.(asked, question.signal))) throw error;
      return await askEachOrigin(target, question);
    }
    if (!(await target.renew?.(asked, question.signal))) return answer;
    await answer.discard();
    return await askEachOrigin(target, question);
  }

  function askEachOrigin<M extends Method>(target: Target, question: RegistryQuestion<M>): Promise<Answer<M>> {
    const [first, second] = originsFor(question, target, spoken);
    if (first === undefined) {
      const message = `no origin is known for ${target.name}`;
      return Promise.reject(new FetchImageError("FI_INTERNAL", { message }));
    }
    return second === undefined ? ask(first, target, question, () => {}) : askEither([first, second], target, question);
  }

  async function askEither<M extends Method>(
    origins: readonly [URL, URL],
    target: Target,
    question: RegistryQuestion<M>,
  ): Promise<Answer<M>> {
    const [{ host }] = origins;
    const under = spoken.has(host) ? undefined : finding.get(host);
    // A thousand questions to one that speaks http would else begin a thousand handshakes, all in vain.
    if (under !== undefined) await unlessAborted(under.found, question.signal);
    const answer = askAsKnown(origins, target, question);
    if (!spoken.has(host) && !finding.has(host)) find(host, answer);
    return await answer;
  }

  /** Others wait for what it finds, but not for an answer that is long in coming. */
  function find(host: string, answer: Promise<unknown>): void {
    let found!: () => void;
    const waiting = new Promise<void>((resolve) => {
      found = resolve;
    });
    const end = (): void => {
      clearTimeout(timer);
      if (finding.get(host)?.end === end) finding.delete(host);
      found();
    };
    const timer = setTimeout(end, longestFindingMs).unref();
    finding.set(host, { found: waiting, end });
    answer.then(end, end);
  }

  async function askAsKnown<M extends Method>(
    [first, second]: readonly [URL, URL],
    target: Target,
    question: RegistryQuestion<M>,
  ): Promise<Answer<M>> {
    const known = spoken.get(first.host);
    let answered = false;
    const onAnswer = (origin: URL): void => {
      answered = true;
      remember(spoken, first.host, origin);
      finding.get(first.host)?.end();
    };
    try {
      return await ask(known ?? first, target, question, onAnswer);
    } catch (error) {
      if (!answered) spoken.delete(first.host);
      if (known || answered || !mayTryHttp(error, first)) throw error;
      settings.logger.debug("registry does not speak https, trying http", { host: first.host });
      return await ask(second, target, question, onAnswer);
    }
  }

  async function ask<M extends Method>(
    origin: URL,
    target: Target,
    question: RegistryQuestion<M>,
    onAnswer: (origin: URL) => void,
  ): Promise<Answer<M>> {
    const { path, method } = question;
    let url = typeof path === "string" ? new URL(`/v2/${target.path}/${path}`, origin) : path;
    let own = typeof path === "string" || url.origin === origin.origin;
    if (!own) guard(url, origin, "place for uploads");
    let loggedIn: Set<string> | undefined;
    for (let hops = 0; ;) {
      const asker = own ? ownAsker(origin, target, question) : anybody(url, target, question);
      const known = logins.authorization(asker);
      const authorization = known instanceof Promise ? await known : known;
      const answer = await transport.send({
        url,
        ...question,
        headers: {
          ...question.headers,
          accept: question.accept,
          ...(authorization === undefined ? {} : { authorization }),
        },
        trust: target.trust,
        secrets: target.secrets,
      });
      onAnswer(origin);
      // Once per origin: a second 401 is final.
      if (answer.status === 401 && loggedIn?.has(url.origin) !== true && logins.learn(answer, asker, authorization)) {
        loggedIn ??= new Set();
        loggedIn.add(url.origin);
        await answer.discard();
        continue;
      }
      const hop = nextHop(answer, origin, { hops, max: settings.limits.redirects, guard });
      // Others make a GET of what was meant to write (RFC 9110 §15.4).
      const isKept = method === "HEAD" || method === "GET" || answer.status === 307 || answer.status === 308;
      if (!hop || !isKept) return answer;
      await answer.discard();
      hops++;
      url = hop;
      own = url.origin === origin.origin;
    }
  }
}

// Who is given the credential is decided by the target alone, never by what a registry named.
function originsFor(
  { path }: RegistryQuestion<Method>,
  { origins }: Target,
  spoken: ReadonlyMap<string, URL>,
): readonly URL[] {
  if (typeof path === "string") return origins;
  const [first] = origins;
  const own = origins.find(({ origin }) => origin === path.origin) ?? (first && (spoken.get(first.host) ?? first));
  return own ? [own] : [];
}

function ownAsker(origin: URL, target: Target, { scopes, signal }: RegistryQuestion<Method>): Asker {
  const { path, credential, trust, secrets } = target;
  return { origin, credential, scopes: scopes ?? [`repository:${path}:pull`], trust, secrets, signal };
}

/** Another origin than the registry's is asked as anybody would ask it. */
function anybody({ origin }: URL, { trust, secrets }: Target, { signal }: RegistryQuestion<Method>): Asker {
  return { origin: new URL(origin), credential: undefined, scopes: [], trust, secrets, signal };
}

// A bad certificate is no reason: whoever shows one does speak TLS. Nor is a refused connection where both schemes
// share the port that stands in the reference.
function mayTryHttp(error: unknown, { host, port }: URL): boolean {
  if (!FetchImageError.is(error) || error.details["host"] !== host) return false;
  return speaksNoTls(error) || (port === "" && nobodyListens(error));
}

const maxSpoken = 1000;
/** A handshake that fails does so at once. */
const longestFindingMs = 500;

function remember(spoken: Map<string, URL>, host: string, origin: URL): void {
  if (spoken.size < maxSpoken && spoken.get(host) === origin) return;
  spoken.delete(host);
  spoken.set(host, origin);
  const [oldest] = spoken.keys();
  if (spoken.size > maxSpoken && oldest !== undefined) spoken.delete(oldest);
}
