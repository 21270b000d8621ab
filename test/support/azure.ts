// Azure as far as a registry's login needs it, over HTTP on loopback: the instance metadata service, Microsoft Entra ID,
// and the part of a container registry that exchanges tokens, before a registry that serves the images.
import { createServer, type IncomingMessage, request as forward, type ServerResponse } from "node:http";
import { listenOnLoopback } from "./listen.ts";

/** Where in the login it goes wrong. */
export type AzurePlace = "identity" | "entra" | "challenge" | "exchange";

export type AzureFault =
  | {
      readonly is: "answer";
      readonly status: number;
      readonly body: string;
      readonly headers?: { readonly [name: string]: string };
    }
  | { readonly is: "hang" };

interface AzureRequest {
  readonly place: AzurePlace;
  readonly host: string;
  /** Of the query or the form, without tokens. */
  readonly fields: { readonly [name: string]: string };
}

export interface AzureStandIn {
  readonly origin: string;
  /** The registry's: as a source names it. */
  readonly host: string;
  readonly requests: AzureRequest[];
  /** What the machine's identity, and then the exchange, give out from now on. */
  tokens: { entra: string; refresh: string };
  /** In the registry's challenge; undefined: it names none. */
  tenant: string | undefined;
  /** The pod's own proof of who it is. */
  federated: string;
  fail(place: AzurePlace, fault: AzureFault | undefined): void;
  close(): Promise<void>;
}

/** `registry`: the origin that images are served from, to whoever it lets in. */
export async function startAzure(registry: string): Promise<AzureStandIn> {
  const faults = new Map<AzurePlace, AzureFault>();
  const requests: AzureRequest[] = [];
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  const { origin, host, close } = await listenOnLoopback(server);
  const azure: AzureStandIn = {
    origin,
    host,
    requests,
    tokens: { entra: "entra-token", refresh: "refresh-token" },
    tenant: "home-tenant",
    federated: "federated-token",
    fail: (place, fault) => void (fault === undefined ? faults.delete(place) : faults.set(place, fault)),
    close,
  };
  return azure;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", origin);
    const place = placeOf(request, url);
    if (place === undefined) return serve(request, response);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const form = new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
    const given = [...url.searchParams, ...form];
    const told = given.filter(([name]) => !/token$|assertion$|^x-|request-id/.test(name));
    requests.push({ place, host: request.headers.host ?? "", fields: Object.fromEntries(told) });
    const fault = faults.get(place);
    if (fault?.is === "hang") return;
    if (fault?.is === "answer") return void response.writeHead(fault.status, fault.headers).end(fault.body);
    const json = (status: number, body: object): void =>
      void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

    if (place === "identity") {
      // The library asks first whether anybody is there.
      if (request.headers["metadata"] !== "true") return json(400, { error: "invalid_request" });
      const resource = url.searchParams.get("resource") ?? "";
      const expires_on = String(Math.floor(Date.now() / 1000) + 3600);
      return json(200, {
        access_token: azure.tokens.entra,
        expires_in: "3600",
        expires_on,
        resource,
        token_type: "Bearer",
      });
    }
    if (place === "entra") {
      if (form.get("client_assertion") !== azure.federated) {
        return json(401, {
          error: "invalid_client",
          error_description: "AADSTS700016: unknown application\r\nTrace ID: 1",
        });
      }
      return json(200, { access_token: azure.tokens.entra, expires_in: 3600, token_type: "Bearer" });
    }
    if (place === "challenge") {
      const realm = `${origin}/oauth2/exchange${azure.tenant === undefined ? "" : `?tenant=${azure.tenant}`}`;
      response.setHeader("www-authenticate", `Bearer realm="${realm}",service="${host}"`);
      return json(401, { errors: [{ code: "UNAUTHORIZED" }] });
    }
    const right = form.get("grant_type") === "access_token" && form.get("service") === request.headers.host;
    if (!right || form.get("access_token") !== azure.tokens.entra) {
      return json(401, { errors: [{ code: "UNAUTHORIZED", message: "authentication failed" }] });
    }
    json(200, { refresh_token: azure.tokens.refresh });
  }

  function placeOf({ method, headers }: IncomingMessage, { pathname }: URL): AzurePlace | undefined {
    if (pathname === "/metadata/identity/oauth2/token") return "identity";
    if (pathname.endsWith("/oauth2/v2.0/token")) return "entra";
    if (pathname === "/oauth2/exchange" && method === "POST") return "exchange";
    return pathname === "/v2/" && headers.authorization === undefined ? "challenge" : undefined;
  }

  function serve(request: IncomingMessage, response: ServerResponse): void {
    const { method, url = "/", headers } = request;
    const onward = forward(
      new URL(url, registry),
      { method, headers: { ...headers, host: new URL(registry).host } },
      (answered) => {
        response.writeHead(answered.statusCode ?? 500, answered.headers);
        answered.pipe(response);
      },
    );
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  }
}
