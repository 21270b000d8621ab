import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { hasSession } from "./page/session.ts";
import { Refusal } from "./refusal.ts";

export interface AccessOptions {
  /** Every request must have it, as `Authorization: Bearer`, or the session that the inspector's page began with it. */
  readonly token?: string;
  /** The names under which the server is asked for, beside loopback's own: `ci.example.com`, ports aside. */
  readonly allowedHosts?: readonly string[];
  /** The server that this is mounted in has let the request in already: neither token nor address is looked at. */
  readonly trusted?: boolean;
}

export type Gate = (request: IncomingMessage) => void;

/**
 * Who may ask. Without a token only this machine may, and only under a name of its own: a web page anywhere can have its
 * name lead here, but not choose what its browser says in Host and Origin. Throws a {@link Refusal}.
 */
export function createGate(options: AccessOptions): Gate {
  const { token } = options;
  const isOurs = createHostGate(options);
  return (request) => {
    isOurs(request);
    if (options.trusted === true || token === undefined) return;
    const { authorization = "" } = request.headers;
    if (!sameText(authorization, `Bearer ${token}`) && !hasSession(request, token)) {
      throw new Refusal(401, "a valid bearer token is needed", { "www-authenticate": "Bearer" });
    }
  };
}

/** Who may ask for what has no secret in it, the page itself: as {@link createGate}, whether or not there is a token. */
export function createHostGate({ token, allowedHosts = [], trusted = false }: AccessOptions): Gate {
  const names = new Set([...loopbackNames, ...allowedHosts.map((host) => host.toLowerCase())]);
  const isKnown = (host: string | undefined): boolean => host !== undefined && names.has(hostName(host));
  return (request) => {
    const { host, origin } = request.headers;
    if (trusted) return;
    if (token === undefined) {
      if (!isLoopback(request.socket.remoteAddress))
        throw new Refusal(403, "only this machine may ask, since there is no token");
      if (!isKnown(host)) throw new Refusal(403, "the host that was asked for is none of this server's");
    } else if (allowedHosts.length > 0 && !isKnown(host)) {
      throw new Refusal(403, "the host that was asked for is none of this server's");
    }
    // A browser names the page that asks; none but our own may.
    if (origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host?.toLowerCase())) {
      throw new Refusal(403, "pages of other origins may not ask");
    }
  };
}

const loopbackNames = ["localhost", "127.0.0.1", "[::1]"];

/** Whether an address is of this machine alone. */
export function isLoopback(address: string | undefined): boolean {
  return address !== undefined && (/^(?:::ffff:)?127\./.test(address) || address === "::1");
}

function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, "");
}

/** Takes as long whatever the texts have in common. */
function sameText(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash("sha256").update(text).digest());
  return left !== undefined && right !== undefined && timingSafeEqual(left, right);
}
