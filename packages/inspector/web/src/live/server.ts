// The inspector's server: addresses are relative to the page, which may be mounted anywhere.
import { FetchImageError } from "@fetch-image/core";
import { signal } from "@preact/signals";

/** `none`: the page is served by something that has no such API, or from a file: exports can be opened all the same. */
export const server = signal<"asking" | "here" | "none" | "locked">("asking");

export function api(path: string, query: { readonly [name: string]: string | undefined } = {}): URL {
  const url = new URL(`api/v1/fetch-image/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
  return url;
}

/** The JSON at an address. Throws `FI_INSPECTOR_UNANSWERED`, with the server's own words where it gave some. */
export async function ask<Answer>(url: URL): Promise<Answer> {
  const answer = await reach(url, {});
  const isJson = answer.headers.get("content-type")?.includes("json") ?? false;
  const body: unknown = isJson ? await answer.json() : undefined;
  if (answer.ok && body !== undefined) return body as Answer;
  if (answer.status === 401) server.value = "locked";
  throw new FetchImageError("FI_INSPECTOR_UNANSWERED", {
    message: `${url.pathname} answered ${answer.status}${wordsOf(body)}`,
    details: { status: answer.status },
  });
}

/** Changes the token for a cookie, which event streams send by themselves. False where it is not the right one. */
export async function unlock(token: string): Promise<boolean> {
  const url = new URL("inspector/session", document.baseURI);
  const { ok } = await reach(url, { method: "POST", headers: { authorization: `Bearer ${token}` } });
  if (ok) server.value = "asking";
  return ok;
}

async function reach(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, credentials: "same-origin" });
  } catch (cause) {
    throw new FetchImageError("FI_INSPECTOR_UNANSWERED", { message: `${url.origin} cannot be reached`, cause });
  }
}

function wordsOf(body: unknown): string {
  const { message } = (body ?? {}) as { readonly message?: unknown };
  return typeof message === "string" ? `: ${message}` : "";
}
