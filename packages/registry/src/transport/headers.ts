/** Header names in lower case, as undici gives them. */
export type Headers = { readonly [name: string]: string | readonly string[] | undefined };

/** The header's first value. */
export function single(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.[0];
}

/** All values of a header that may stand several times. */
export function all(headers: Headers, name: string): readonly string[] {
  const value = headers[name];
  return value === undefined ? [] : typeof value === "string" ? [value] : value;
}

/** The media type of a `Content-Type`: lower case, without parameters. */
export function mediaTypeOf(headers: Headers): string | undefined {
  const text = single(headers, "content-type");
  if (text === undefined) return undefined;
  const end = text.indexOf(";");
  return (end === -1 ? text : text.slice(0, end)).trim().toLowerCase() || undefined;
}

/** `Content-Length`, when it is a length. */
export function contentLengthOf(headers: Headers): number | undefined {
  const text = single(headers, "content-length");
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
