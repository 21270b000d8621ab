/** A bearer token and how long it may be used without asking again. */
export interface Token {
  readonly value: string;
  /** Milliseconds since the epoch; a little before the token really ends. */
  readonly freshUntil: number;
}

export interface TokenCache<T extends Token = Token> {
  /** The token under this key, where it is here and fresh. */
  fresh(key: string): T | undefined;
  /** The token under this key; `fetch` is called when there is none that is fresh, once for all who ask meanwhile. */
  get(key: string, fetch: () => Promise<T>): Promise<T>;
  /** Forgets a token that a registry refused, unless a newer one has taken its place. */
  forget(key: string, value: string): void;
}

interface Entry<T extends Token> {
  readonly pending: Promise<T>;
  token?: T;
}

export function createTokenCache<T extends Token = Token>(now: () => number): TokenCache<T> {
  const entries = new Map<string, Entry<T>>();
  return {
    fresh(key) {
      const token = entries.get(key)?.token;
      return token !== undefined && token.freshUntil > now() ? token : undefined;
    },
    get(key, fetch) {
      const known = entries.get(key);
      if (known && (!known.token || known.token.freshUntil > now())) return known.pending;
      const entry: Entry<T> = {
        pending: fetch().then(
          (token) => (entry.token = token),
          (error: unknown) => {
            if (entries.get(key) === entry) entries.delete(key);
            throw error;
          },
        ),
      };
      // Everybody who asked may have been aborted meanwhile; then nobody listens.
      entry.pending.catch(() => {});
      entries.delete(key);
      entries.set(key, entry);
      if (entries.size > maxTokens) dropOne(entries, now());
      return entry.pending;
    },
    forget(key, value) {
      if (entries.get(key)?.token?.value === value) entries.delete(key);
    },
  };
}

const maxTokens = 1000;

/** Makes room: a token that has ended, else the one that was fetched longest ago. */
function dropOne(entries: Map<string, Entry<Token>>, now: number): void {
  let [victim] = entries.keys();
  for (const [key, { token }] of entries) {
    if (!token || token.freshUntil > now) continue;
    victim = key;
    break;
  }
  if (victim !== undefined) entries.delete(victim);
}
