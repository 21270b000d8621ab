// A token server as Debian's docker-registry (CNCF distribution 2.8) trusts it: RS256, the signer's certificate in x5c.
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { SignJWT } from "jose";
import type { TestCertificate } from "./certificates.ts";
import { listenOnLoopback } from "./listen.ts";

/** How the next tokens are made; what is left out is as it should be. */
interface TokenBehaviour {
  /** When the token ends, counted from now; negative for one that has ended. Registries allow 60 s of leeway. */
  readonly endsInSeconds?: number;
  /** What `expires_in` claims. */
  readonly claimsSeconds?: number;
  /** The rights that are granted whatever is asked for. */
  readonly grants?: readonly string[];
}

interface TokenRequest {
  readonly scopes: readonly string[];
  readonly service: string | null;
  /** Undefined for nobody. */
  readonly user: string | undefined;
}

export interface TokenServer extends AsyncDisposable {
  readonly origin: string;
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  readonly requests: TokenRequest[];
  behaviour: TokenBehaviour;
  /** A token for these scopes, `repository:acme/app:pull,push`, without asking. */
  sign(scopes: readonly string[], user?: string): Promise<string>;
}

export interface TokenServerOptions {
  readonly signer: TestCertificate;
  readonly users: { readonly [username: string]: string };
  /** Repositories below it are readable by nobody in particular. */
  readonly publicPrefix: string;
}

export async function startTokenServer({ signer, users, publicPrefix }: TokenServerOptions): Promise<TokenServer> {
  const [service, issuer] = ["test-registry", "test-issuer"];
  const requests: TokenRequest[] = [];
  const server = createServer((request, response) => {
    void reply(request, response);
  });
  const { origin, close } = await listenOnLoopback(server);

  const tokens: TokenServer = {
    origin,
    realm: `${origin}/token`,
    service,
    issuer,
    requests,
    behaviour: {},
    sign: (scopes, user = "") => sign(scopes, user, {}),
    [Symbol.asyncDispose]: close,
  };
  return tokens;

  async function reply(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, body } = await answer(request);
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  }

  async function answer(request: IncomingMessage): Promise<{ status: number; body: object }> {
    const query = new URL(request.url ?? "/", origin).searchParams;
    // As containerd logs in (OAuth 2.0, RFC 6749 §4.3): a form, and no header.
    const form = request.method === "POST" ? new URLSearchParams(await text(request)) : undefined;
    const [user, password] = form
      ? [form.get("username") ?? undefined, form.get("password") ?? undefined]
      : login(request.headers.authorization);
    if (user !== undefined && (!Object.hasOwn(users, user) || users[user] !== password)) {
      return { status: 401, body: { errors: [{ code: "UNAUTHORIZED", message: "wrong user name or password" }] } };
    }
    const asked = form ?? query;
    const scopes = asked.getAll("scope").flatMap((scope) => scope.split(" "));
    requests.push({ scopes, service: asked.get("service"), user });
    const { behaviour } = tokens;
    const granted = behaviour.grants ?? scopes.filter((scope) => user !== undefined || isPublicPull(scope));
    const token = await sign(granted, user ?? "", behaviour);
    const claims = behaviour.claimsSeconds ?? 300;
    const body = { token, access_token: token, expires_in: claims, issued_at: new Date().toISOString() };
    return { status: 200, body };
  }

  function isPublicPull(scope: string): boolean {
    return scope.startsWith(`repository:${publicPrefix}`) && scope.endsWith(":pull");
  }

  function sign(scopes: readonly string[], user: string, { endsInSeconds = 300 }: TokenBehaviour): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const access = scopes.map((scope) => {
      const [, type, name, actions = ""] = /^([^:]+):(.+):([^:]*)$/.exec(scope) ?? [];
      return { type, name, actions: actions.split(",") };
    });
    return new SignJWT({ access })
      .setProtectedHeader({ alg: "RS256", typ: "JWT", x5c: [signer.der.toString("base64")] })
      .setIssuer(issuer)
      .setSubject(user)
      .setAudience(service)
      .setIssuedAt(now - 3600)
      .setNotBefore(now - 3600)
      .setExpirationTime(now + endsInSeconds)
      .setJti(randomUUID())
      .sign(signer.privateKey);
  }
}

function login(authorization: string | undefined): readonly [user?: string, password?: string] {
  const encoded = /^Basic (.+)$/i.exec(authorization ?? "")?.[1];
  if (encoded === undefined) return [];
  const text = Buffer.from(encoded, "base64").toString("utf8");
  return [text.slice(0, text.indexOf(":")), text.slice(text.indexOf(":") + 1)];
}
