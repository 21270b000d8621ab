import type { IncomingMessage, ServerResponse } from "node:http";
import { assertReading, reply } from "../http.ts";
import { assetsFolder, type PageFile, type PageFiles } from "./page-files.ts";

/** Nothing but this server's own files and answers; nothing inline, no other origin, in no frame. */
const pageHeaders = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
} as const;

/** Whether a path below the inspector is the page's or one of its files'. */
export function isPagePath(path: string): boolean {
  return path === "" || path.startsWith(`${assetsFolder}/`);
}

export async function servePage(
  files: PageFiles,
  { request, response, path }: { readonly request: IncomingMessage; readonly response: ServerResponse; path: string },
): Promise<void> {
  assertReading(request);
  const file = await files.get(path);
  if (file === undefined) {
    const built = await files.exists();
    const message = built ? "the inspector has no such file" : "the inspector's page is not built: run `pnpm build`";
    reply(request, response, { message }, 404, pageHeaders);
    return;
  }
  const [encoding, bytes] = encoded(file, request.headers["accept-encoding"] ?? "");
  const headers = {
    ...pageHeaders,
    "content-type": file.type,
    etag: file.etag,
    vary: "accept-encoding",
    "cache-control": file.hashed ? "public, max-age=31536000, immutable" : "no-cache",
  };
  if (request.headers["if-none-match"] === file.etag) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, {
    ...headers,
    ...(encoding === "identity" ? {} : { "content-encoding": encoding }),
    "content-length": bytes.length,
  });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

function encoded({ encodings }: PageFile, accepted: string): readonly [encoding: string, bytes: Buffer] {
  for (const name of ["br", "gzip"] as const) {
    const bytes = encodings[name];
    if (bytes !== undefined && accepts(accepted, name)) return [name, bytes];
  }
  return ["identity", encodings.identity];
}

function accepts(accepted: string, name: string): boolean {
  return accepted.split(",").some((part) => {
    const [coding = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    return coding === name && !parameters.some((text) => /^q=0(?:\.0*)?$/.test(text));
  });
}
