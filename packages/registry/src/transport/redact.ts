import { FetchImageError, type Json, type JsonObject } from "@fetch-image/core/registry-image";

/** What must never be readable in an error or a log line, and the knife that cuts it out. */
export interface Secrets {
  add(secret: string): void;
  /** The text without secrets, URL queries and userinfo, and without control characters. */
  redact(text: string): string;
}

/** Collects the secrets of one conversation: passwords, the forms they travel in, and tokens as they come. */
export function createSecrets(initial: readonly string[] = []): Secrets {
  const secrets = new KnownSecrets();
  for (const secret of initial) secrets.add(secret);
  return secrets;
}

class KnownSecrets implements Secrets {
  /** Most conversations have none. */
  #known: Set<string> | undefined;
  /** Made when there is something to redact: most conversations end well. */
  #pattern: RegExp | undefined;

  add(secret: string): void {
    this.#known ??= new Set();
    this.#known.add(secret);
    this.#pattern = undefined;
  }

  redact(text: string): string {
    this.#pattern ??= anyOf(formsOf(this.#known ?? new Set()));
    const clean = withoutUrlSecrets(text).replaceAll(this.#pattern, "***");
    // oxlint-disable-next-line no-control-regex -- foreign text must not move a terminal's cursor
    return clean.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ");
  }
}

function formsOf(secrets: ReadonlySet<string>): ReadonlySet<string> {
  const forms = new Set<string>();
  for (const secret of secrets) {
    // Cutting one or two letters out of a text hides nothing and makes the text unreadable.
    for (const form of [secret, inUrl(secret), JSON.stringify(secret).slice(1, -1)]) {
      if (form.length > 2) forms.add(form);
    }
  }
  return forms;
}

function inUrl(secret: string): string {
  try {
    return encodeURIComponent(secret);
  } catch {
    return secret; // Half a surrogate pair stands in no URL.
  }
}

/** Cuts the query and the userinfo out of every URL in a text: presigned URLs carry their signature there. */
export function withoutUrlSecrets(text: string): string {
  return text.replaceAll(/([a-z][a-z0-9+.-]{0,15}:\/\/)([^\s"'<>]+)/gi, (_, scheme: string, rest: string) => {
    const path = rest.replace(/[?#].*$/s, "");
    const [authority = ""] = path.split("/", 1);
    return scheme + authority.slice(authority.lastIndexOf("@") + 1) + path.slice(authority.length);
  });
}

/** The same error with no secret left in it. Errors of other kinds become their own safe cause. */
export function withoutSecrets(error: unknown, secrets: Secrets): FetchImageError {
  if (!FetchImageError.is(error)) {
    return new FetchImageError("FI_INTERNAL", { cause: safeCause(error, secrets) });
  }
  const details = redactObject(error.details, secrets);
  const same =
    secrets.redact(error.message) === error.message &&
    secrets.redact(error.hint) === error.hint &&
    JSON.stringify(details) === JSON.stringify(error.details);
  if (same) return error;
  return new FetchImageError(error.code, {
    message: secrets.redact(error.message),
    hint: secrets.redact(error.hint),
    retryable: error.retryable,
    details,
    ...(error.cause === undefined ? {} : { cause: safeCause(error.cause, secrets) }),
  });
}

/** An error's cause as it may be shown: its name, code and words, with nothing else hanging from it. */
export function safeCause(cause: unknown, secrets: Secrets): Error {
  const { name = "Error", code, message = String(cause) } = (cause ?? {}) as Partial<Error & { code: unknown }>;
  const safe = new Error(secrets.redact(typeof code === "string" ? `${code}: ${message}` : message));
  safe.name = secrets.redact(name);
  // The first line of a stack repeats the message; the rest of the original's could quote it as well.
  safe.stack = `${safe.name}: ${safe.message}`;
  return safe;
}

function redactJson(value: Json, secrets: Secrets): Json {
  if (typeof value === "string") return secrets.redact(value);
  if (value === null || typeof value !== "object") return value;
  if (isList(value)) return value.map((item) => redactJson(item, secrets));
  return redactObject(value, secrets);
}

function redactObject(value: JsonObject, secrets: Secrets): JsonObject {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redactJson(item, secrets)]));
}

function isList(value: readonly Json[] | JsonObject): value is readonly Json[] {
  return Array.isArray(value);
}

/** Longest first: a secret that contains another must not leave its rest standing. In any case, as hosts come in lower. */
function anyOf(texts: ReadonlySet<string>): RegExp {
  const longestFirst = [...texts].toSorted((a, b) => b.length - a.length);
  // Without any text, what never matches.
  return new RegExp(longestFirst.map(literally).join("|") || "(?!)", "gi");
}

function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`);
}
