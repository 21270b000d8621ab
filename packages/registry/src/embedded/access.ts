import { randomBytes } from "node:crypto";
import { type Reply, errorReply, jsonReply } from "./reply.ts";

/** Who may read the repositories whose names begin with `prefix`, and how they log in. */
export interface AccessRule {
  /** `private/`; empty for every repository. */
  readonly prefix: string;
  readonly scheme: "basic" | "bearer";
  /** Default: every user. */
  readonly users?: readonly string[];
  /** Bearer only: nobody's token may read as well, as on Docker Hub. */
  readonly anonymousPull?: boolean;
}

export interface Access {
  /** The refusal for a request without the right to read; undefined when it may. */
  refuse(repository: string, authorization: string | undefined): Reply | undefined;
  /** Answers `GET /token`. */
  token(query: URLSearchParams, authorization: string | undefined): Reply;
  /** Names this as the token server from now on, instead of the registry itself. */
  setRealm(realm: string | undefined): void;
  /** Ends all tokens at once. */
  revokeTokens(): void;
}

interface Grant {
  readonly repositories: ReadonlySet<string>;
  readonly expiresAt: number;
}

export interface AccessOptions {
  readonly users: { readonly [username: string]: string };
  readonly rules: readonly AccessRule[];
  readonly tokenLifetimeSeconds: number;
  /** Where the registry's own token server is; known once the port is. */
  readonly ownRealm: () => string;
}

export function createAccess({ users, rules, tokenLifetimeSeconds, ownRealm }: AccessOptions): Access {
  const tokens = new Map<string, Grant>();
  let realm: string | undefined;
  const ruleFor = (repository: string): AccessRule | undefined =>
    rules.find(({ prefix }) => repository.startsWith(prefix));
  const mayRead = (repository: string, user: string | undefined): boolean => {
    const rule = ruleFor(repository);
    if (!rule || rule.anonymousPull === true) return true;
    return user !== undefined && (rule.users?.includes(user) ?? true);
  };

  return {
    refuse(repository, authorization) {
      const rule = ruleFor(repository);
      if (!rule) return undefined;
      if (rule.scheme === "basic") {
        const user = userOf(authorization, users);
        if (user === undefined) return unauthorized('Basic realm="embedded registry"');
        return mayRead(repository, user) ? undefined : errorReply(403, "DENIED", "not allowed to read this repository");
      }
      const grant = tokens.get(/^Bearer (.+)$/i.exec(authorization ?? "")?.[1] ?? "");
      const valid = grant !== undefined && grant.expiresAt > Date.now();
      if (valid && grant.repositories.has(repository)) return undefined;
      const error = authorization === undefined ? "" : `,error="${valid ? "insufficient_scope" : "invalid_token"}"`;
      const where = `Bearer realm="${realm ?? ownRealm()}",service="embedded-registry"`;
      return unauthorized(`${where},scope="repository:${repository}:pull"${error}`);
    },
    token(query, authorization) {
      const user = userOf(authorization, users);
      if (authorization !== undefined && user === undefined) {
        return errorReply(401, "UNAUTHORIZED", "wrong user name or password");
      }
      const asked = query.getAll("scope").flatMap((scope) => scope.split(" "));
      const names = asked.map((scope) => /^repository:(.+):(?:[a-z*,]*,)?pull(?:,[a-z*,]*)?$/.exec(scope)?.[1]);
      const repositories = names.filter((name) => name !== undefined && mayRead(name, user));
      const token = randomBytes(24).toString("base64url");
      tokens.set(token, {
        repositories: new Set(repositories.filter((name) => name !== undefined)),
        expiresAt: Date.now() + tokenLifetimeSeconds * 1000,
      });
      return jsonReply(200, { token, expires_in: tokenLifetimeSeconds, issued_at: new Date().toISOString() });
    },
    setRealm: (url) => void (realm = url),
    revokeTokens: () => tokens.clear(),
  };
}

function unauthorized(challenge: string): Reply {
  const reply = errorReply(401, "UNAUTHORIZED", "authentication required");
  return { ...reply, headers: { ...reply.headers, "www-authenticate": challenge } };
}

function userOf(authorization: string | undefined, users: AccessOptions["users"]): string | undefined {
  const encoded = /^Basic ([A-Za-z0-9+/]+=*)$/i.exec(authorization ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  const [username, password] = [text.slice(0, colon), text.slice(colon + 1)];
  return colon > 0 && Object.hasOwn(users, username) && users[username] === password ? username : undefined;
}
