import { all, type Headers } from "./headers.ts";

/**
 * Where the next page is, as `Link` names it (RFC 8288): the first link that is `rel="next"`, or that has no `rel`, as
 * go-containerregistry takes it. Undefined without one; `malformed` where the header cannot be read, which must not be
 * taken for the last page.
 */
export function nextLink(headers: Headers): { readonly uri: string } | "malformed" | undefined {
  for (const text of all(headers, "link")) {
    let at = 0;
    const take = (pattern: RegExp): RegExpExecArray | undefined => {
      pattern.lastIndex = at;
      const match = pattern.exec(text) ?? undefined;
      if (match) at = pattern.lastIndex;
      return match;
    };
    for (take(separators); at < text.length; take(separators)) {
      const uri = take(target)?.[1];
      if (uri === undefined) return "malformed";
      let rel: string | undefined;
      for (let found = take(parameter); found; found = take(parameter)) {
        const [, name = "", quoted, token] = found;
        // RFC 8288 §3.3: the first one counts.
        if (name.toLowerCase() === "rel") rel ??= quoted?.replaceAll(/\\(.)/g, "$1") ?? token ?? "";
      }
      if (!take(end)) return "malformed";
      if (rel === undefined || rel.toLowerCase().split(/\s+/).includes("next")) return { uri };
    }
  }
  return undefined;
}

// Each stands at its place and takes what follows in one way only, so that reading is linear in the header's length.
const separators = /[\s,]*/y;
const target = /<([^>]*)>/y;
const parameter = /\s*;\s*([^\s=;,"<>]*)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/y;
const end = /\s*(?=,|$)/y;
