import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Refusal } from "../refusal.ts";

export const sessionPath = "inspector/session";

const cookieName = "fetch-image-inspector";

/** What a browser is given instead of the token, which it cannot send on a stream. It says nothing of the token. */
function sessionOf(token: string): string {
  return createHmac("sha256", token).update("a session of fetch-image's inspector").digest("base64url");
}

/** Whether a request has the session of this token. */
export function hasSession({ headers }: IncomingMessage, token: string): boolean {
  const wanted = Buffer.from(sessionOf(token));
  return (headers.cookie ?? "").split(";").some((pair) => {
    const [name = "", value = ""] = pair.trim().split("=");
    const given = Buffer.from(value);
    return name === cookieName && given.length === wanted.length && timingSafeEqual(given, wanted);
  });
}

/**
 * `POST`: whoever was let in with the token, or needs none, has a session from here on; `DELETE` ends it. The gate was
 * passed before.
 */
export function serveSession(
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  { token, path }: { readonly token: string | undefined; readonly path: string },
): void {
  const { method, headers } = request;
  if (method !== "POST" && method !== "DELETE") {
    throw new Refusal(405, "a session is begun by POST and ended by DELETE", { allow: "POST, DELETE" });
  }
  // What is read here is the headers alone.
  request.resume();
  const secure = headers.origin?.startsWith("https:") === true ? "; Secure" : "";
  const attributes = `Path=${path}; HttpOnly; SameSite=Strict${secure}`;
  const cookie =
    method === "DELETE"
      ? `${cookieName}=; Max-Age=0; ${attributes}`
      : `${cookieName}=${sessionOf(token ?? "")}; ${attributes}`;
  response.writeHead(204, { "cache-control": "no-store", ...(token === undefined ? {} : { "set-cookie": cookie }) });
  response.end();
}
