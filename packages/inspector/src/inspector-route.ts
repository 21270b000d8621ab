import { auditPath } from "./audit-answers.ts";
import { isPagePath } from "./page/serve-page.ts";
import { sessionPath } from "./page/session.ts";

/** What of the inspector's own a URL names. */
export type InspectorRoute =
  | { readonly name: "page"; readonly path: string }
  | { readonly name: "session" }
  | { readonly name: "fetches" | "live" | "registries"; readonly query: string }
  | { readonly name: "build-facts" | "scope-facts"; readonly id: string; readonly query: string };

/** Undefined for what is the read API's, or nobody's. */
export function inspectorRoute(url: string): InspectorRoute | undefined {
  const at = url.indexOf("?");
  const path = at < 0 ? url : url.slice(0, at);
  const query = at < 0 ? "" : url.slice(at + 1);
  const page = path.slice(1);
  if (page === sessionPath) return { name: "session" };
  if (path.startsWith("/") && isPagePath(page)) return { name: "page", path: page };
  if (!path.startsWith(auditPath)) return undefined;
  const [name, id, part, ...rest] = path.slice(auditPath.length).split("/");
  if (rest.length > 0) return undefined;
  if (id === undefined) return name === "fetches" || name === "registries" ? { name, query } : undefined;
  if (name === "fetches" && id === "live" && part === undefined) return { name: "live", query };
  if (part !== "facts") return undefined;
  if (name === "builds") return { name: "build-facts", id, query };
  return name === "scopes" ? { name: "scope-facts", id, query } : undefined;
}
