/** What the embedded registry answers, before any fault is done to it. */
export interface Reply {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: Buffer;
}

export function jsonReply(status: number, body: object, headers: { readonly [name: string]: string } = {}): Reply {
  return {
    status,
    headers: { "content-type": "application/json", ...headers },
    body: Buffer.from(JSON.stringify(body), "utf8"),
  };
}

/** An error in the words of the OCI distribution API ("Error Codes"). */
export function errorReply(status: number, code: string, message: string): Reply {
  return jsonReply(status, { errors: [{ code, message }] });
}
