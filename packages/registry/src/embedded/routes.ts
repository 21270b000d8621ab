import type { Access } from "./access.ts";
import type { Contents } from "./contents.ts";
import type { StoredBlob } from "./image.ts";
import { errorReply, jsonReply, type Reply } from "./reply.ts";

export interface RouteRequest {
  readonly method: string;
  readonly url: URL;
  readonly authorization: string | undefined;
  readonly accept: string | undefined;
  readonly tagsPerPage: number | undefined;
  /** The headers `Range` and `If-Range`. */
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}

/** What a request is about, for the counters. */
export type RouteKind = "manifest" | "blob" | "tags" | "token" | "other";

export function routeKind(path: string): RouteKind {
  if (path === "/token") return "token";
  const kind = /^\/v2\/.+\/(manifests|blobs|tags)\/[^/]+$/.exec(path)?.[1];
  if (kind === "manifests") return "manifest";
  return kind === "blobs" ? "blob" : kind === "tags" ? "tags" : "other";
}

/** The read side of the OCI distribution API, and a token server. */
export function route(request: RouteRequest, contents: Contents, access: Access): Reply {
  const { method, url, authorization } = request;
  if (method !== "GET" && method !== "HEAD") return errorReply(405, "UNSUPPORTED", "this registry only answers reads");
  if (url.pathname === "/token") return access.token(url.searchParams, authorization);
  if (url.pathname === "/v2/" || url.pathname === "/v2") return access.refuse("", authorization) ?? jsonReply(200, {});
  const [, repository = "", kind, name = ""] = /^\/v2\/(.+)\/(manifests|blobs|tags)\/([^/]+)$/.exec(url.pathname) ?? [];
  if (kind === undefined) return errorReply(404, "UNSUPPORTED", "no such endpoint");
  const refused = access.refuse(repository, authorization);
  if (refused) return refused;
  if (kind === "tags") return tagsReply(repository, request, contents);
  if (kind === "blobs") {
    return partOf(stored(contents.blob(repository, name), "BLOB_UNKNOWN", "blob unknown to registry"), request);
  }
  const manifest = contents.manifest(repository, name);
  if (manifest && !(request.accept ?? "").includes(manifest.mediaType)) {
    // As Debian's docker-registry does it: not 406.
    return errorReply(404, "MANIFEST_UNKNOWN", `manifest found, but the Accept header lacks ${manifest.mediaType}`);
  }
  return stored(manifest, "MANIFEST_UNKNOWN", "manifest unknown");
}

function stored(blob: StoredBlob | undefined, code: string, message: string): Reply {
  if (!blob) return errorReply(404, code, message);
  return {
    status: 200,
    headers: { "content-type": blob.mediaType, "docker-content-digest": blob.digest, etag: `"${blob.digest}"` },
    body: blob.bytes,
  };
}

// From an offset on, or all of it (RFC 9110 §14): more is not asked of a registry.
function partOf(whole: Reply, { range, ifRange }: RouteRequest): Reply {
  const first = /^bytes=(\d{1,15})-$/.exec(range ?? "")?.[1];
  if (whole.status !== 200 || first === undefined) return whole;
  if (ifRange !== undefined && ifRange !== whole.headers["etag"]) return whole;
  const { length } = whole.body;
  const at = Number(first);
  if (at >= length)
    return { ...errorReply(416, "UNSUPPORTED", "no such range"), headers: { "content-range": `bytes */${length}` } };
  const headers = { ...whole.headers, "content-range": `bytes ${at}-${length - 1}/${length}` };
  return { status: 206, headers, body: whole.body.subarray(at) };
}

// Pages as the distribution-spec has them ("Listing Tags"): `n`, `last`, and a Link to the next page.
function tagsReply(repository: string, { url, tagsPerPage }: RouteRequest, contents: Contents): Reply {
  const query = url.searchParams;
  const all = contents.tags(repository);
  if (!all) return errorReply(404, "NAME_UNKNOWN", "repository name not known to registry");
  const last = query.get("last");
  const after = last === null ? all : all.filter((tag) => tag > last);
  const wanted = /^\d{1,9}$/.test(query.get("n") ?? "") ? Number(query.get("n")) : after.length;
  const limit = Math.min(wanted, tagsPerPage ?? wanted);
  const page = after.slice(0, limit);
  const lastOfPage = page.at(-1);
  const more = lastOfPage !== undefined && page.length < after.length;
  const next = `</v2/${repository}/tags/list?n=${limit}&last=${encodeURIComponent(lastOfPage ?? "")}>; rel="next"`;
  return jsonReply(200, { name: repository, tags: page }, more ? { link: next } : {});
}
