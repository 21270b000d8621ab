/** A frame of an event stream, as a client dispatches it. */
export interface Frame {
  readonly id: string;
  readonly name: string;
  readonly data: string;
}

/**
 * The frames that go-sse, and a browser's EventSource, make of a stream's text: a blank line dispatches what is there, if
 * there was a `data` line; lines that begin with a colon are comments; a field without a colon has an empty value.
 */
export function readSse(text: string): readonly Frame[] {
  const frames: Frame[] = [];
  let [id, name] = ["", ""];
  let data: string | undefined;
  // What stands behind the last line break is no line yet.
  for (const line of text.split("\n").slice(0, -1)) {
    if (line === "") {
      if (data !== undefined) frames.push({ id, name, data });
      [name, data] = ["", undefined];
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") id = value;
    else if (field === "event") name = value;
    else if (field === "data") data = data === undefined ? value : `${data}\n${value}`;
  }
  return frames;
}
