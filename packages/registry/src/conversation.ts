import { type CancelSignal, FetchImageError } from "@fetch-image/core/registry-image";
import { type Asker, createLogins, readingOf401 } from "./auth/login.ts";
import type { Target } from "./locate.ts";
import { Attempt, Schemes } from "./schemes.ts";
import type { RegistrySettings } from "./settings.ts";
import type { Purpose } from "./transport/dispatchers.ts";
import { unlessAborted } from "./transport/deadline.ts";
import { createGuard } from "./transport/guard.ts";
import { withoutSecrets } from "./transport/redact.ts";
import { isRedirect, nextHop } from "./transport/redirect.ts";
import { refusal } from "./transport/refusal.ts";
import type { Answer, Method, RequestBody, Transport } from "./transport/transport.ts";

export interface RegistryQuestion<M extends Method> {
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
}

export function createConversation(settings: RegistrySettings, transport: Transport): Conversation {
  const guard = createGuard(settings.allowedOrigins);
  const logins = createLogins({ transport, settings, guard });
  const schemes = new Schemes();

  return {
    ask(target, question) {
      if (target.renew !== undefined) return cleaned(askAgainIfRefused(target, question), target);
      return askKnown(target, question) ?? cleaned(askEither(target, question), target);
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
    return askKnown(target, question) ?? askEither(target, question);
  }

  /** Undefined where it is not known by which origin. */
  function askKnown<M extends Method>(target: Target, question: RegistryQuestion<M>): Promise<Answer<M>> | undefined {
    const [first, second] = originsFor(question, target, schemes);
    if (first === undefined || second === undefined) return first && ask(first, target, question);
    const spoken = schemes.spokenBy(first.host);
    return spoken && ask(spoken, target, question, new Attempt(schemes, first.host));
  }

  async function askEither<M extends Method>(target: Target, question: RegistryQuestion<M>): Promise<Answer<M>> {
    const [first, second] = target.origins;
    if (first === undefined || second === undefined) {
      throw new FetchImageError("FI_INTERNAL", { message: `no origin is known for ${target.name}` });
    }
    const { host } = first;
    const found = schemes.beingFound(host);
    // A thousand questions to one that speaks http would else begin a thousand handshakes, all in vain.
    if (found !== undefined) await unlessAborted(found, question.signal);
    const known = askKnown(target, question);
    if (known !== undefined) return await known;
    const answer = askInTurn([first, second], target, question);
    if (schemes.beingFound(host) === undefined) schemes.find(host, answer);
    return await answer;
  }

  async function askInTurn<M extends Method>(
    [first, second]: readonly [URL, URL],
    target: Target,
    question: RegistryQuestion<M>,
  ): Promise<Answer<M>> {
    const attempt = new Attempt(schemes, first.host);
    try {
      return await ask(first, target, question, attempt);
    } catch (error) {
      if (!attempt.mayTryHttp) throw error;
      settings.logger.debug("registry does not speak https, trying http", { host: first.host });
      return await ask(second, target, question, attempt);
    }
  }

  async function ask<M extends Method>(
    origin: URL,
    target: Target,
    question: RegistryQuestion<M>,
    attempt?: Attempt,
  ): Promise<Answer<M>> {
    try {
      const { path } = question;
      const url = typeof path === "string" ? new URL(`/v2/${target.path}/${path}`, origin) : path;
      const own = typeof path === "string" || url.origin === origin.origin;
      if (!own) guard(url, origin, "place for uploads");
      const asker = own ? ownAsker(origin, target, question) : anybody(url, target, question);
      const known = logins.authorization(asker);
      const authorization = known instanceof Promise ? await known : known;
      const answer = await send(url, authorization, target, question);
      attempt?.answered(origin);
      if (answer.status !== 401 && !isRedirect(answer)) return answer;
      return await goOn({ answer, asker, authorization }, origin, target, question);
    } catch (error) {
      attempt?.failed(error, origin);
      throw withoutSecrets(error, target.secrets);
    }
  }

  /** Logs in and follows redirects. */
  async function goOn<M extends Method>(
    { answer, asker, authorization }: Exchange<M>,
    origin: URL,
    target: Target,
    question: RegistryQuestion<M>,
  ): Promise<Answer<M>> {
    const { method } = question;
    const loggedIn = new Set<string>();
    for (let hops = 0; ;) {
      let { url } = answer;
      // Once per origin: a second 401 is final.
      if (answer.status === 401 && !loggedIn.has(url.origin) && logins.learn(answer, asker, authorization)) {
        loggedIn.add(url.origin);
      } else {
        const hop = nextHop(answer, origin, { hops, max: settings.limits.redirects, guard });
        // Others make a GET of what was meant to write (RFC 9110 §15.4).
        const isKept = method === "HEAD" || method === "GET" || answer.status === 307 || answer.status === 308;
        if (!hop || !isKept) return answer;
        hops++;
        url = hop;
        asker = url.origin === origin.origin ? ownAsker(origin, target, question) : anybody(url, target, question);
      }
      await answer.discard();
      authorization = await logins.authorization(asker);
      answer = await send(url, authorization, target, question);
    }
  }

  function send<M extends Method>(
    url: URL,
    authorization: string | undefined,
    { trust, secrets }: Target,
    question: RegistryQuestion<M>,
  ): Promise<Answer<M>> {
    const { method, body, purpose, signal } = question;
    const headers = headersOf(question, authorization);
    return transport.send({ method, url, headers, body, trust, purpose, signal, secrets });
  }
}

/** An answer, and who asked for it. */
interface Exchange<M extends Method> {
  readonly answer: Answer<M>;
  readonly asker: Asker;
  readonly authorization: string | undefined;
}

function cleaned<T>(asking: Promise<T>, { secrets }: Target): Promise<T> {
  return asking.catch((error: unknown) => {
    throw withoutSecrets(error, secrets);
  });
}

function headersOf(
  { accept, headers }: RegistryQuestion<Method>,
  authorization: string | undefined,
): { readonly [name: string]: string } {
  if (headers !== undefined) return { ...headers, accept, ...(authorization === undefined ? {} : { authorization }) };
  return authorization === undefined ? { accept } : { accept, authorization };
}

// Who is given the credential is decided by the target alone, never by what a registry named.
function originsFor({ path }: RegistryQuestion<Method>, { origins }: Target, schemes: Schemes): readonly URL[] {
  if (typeof path === "string") return origins;
  const [first] = origins;
  const own =
    origins.find(({ origin }) => origin === path.origin) ?? (first && (schemes.spokenBy(first.host) ?? first));
  return own ? [own] : [];
}

function ownAsker(origin: URL, target: Target, { scopes, signal }: RegistryQuestion<Method>): Asker {
  const { credential, pullScopes, trust, secrets } = target;
  return { origin, credential, scopes: scopes ?? pullScopes, trust, secrets, signal };
}

/** Another origin than the registry's is asked as anybody would ask it. */
function anybody({ origin }: URL, { trust, secrets }: Target, { signal }: RegistryQuestion<Method>): Asker {
  return { origin: new URL(origin), credential: undefined, scopes: [], trust, secrets, signal };
}
