// Writes tars entry by entry, also such as no honest writer would make. Deliberately apart from the reader under test.

export interface TarItem {
  readonly name: string;
  /** Default: a regular file, or a directory where the name ends in a slash. */
  readonly type?: string;
  readonly content?: string | Uint8Array;
  readonly linkname?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  /** Over what the content's length is. */
  readonly size?: number;
  /** Of a pax header of its own, before it. */
  readonly pax?: { readonly [keyword: string]: string };
  /** Default: POSIX's. */
  readonly magic?: "ustar\u000000" | "ustar  \u0000" | "";
}

/** A whole archive, its end mark included. Texts are latin1: a character a byte. */
export function tarOf(items: readonly (TarItem | Buffer)[]): Buffer {
  return Buffer.concat([...items.map(tarItem), Buffer.alloc(1024)]);
}

export function tarItem(item: TarItem | Buffer): Buffer {
  if (item instanceof Uint8Array) return item;
  const { content = "", pax } = item;
  const data = typeof content === "string" ? Buffer.from(content, "latin1") : Buffer.from(content);
  const header = tarHeader({ size: data.length, ...item });
  return Buffer.concat([...(pax ? [paxHeader(pax)] : []), header, padded(data)]);
}

/** An extended header for the next entry, or a global one. */
export function paxHeader(records: { readonly [keyword: string]: string }, type: "x" | "g" = "x"): Buffer {
  const data = Buffer.from(Object.entries(records).map(paxRecord).join(""), "latin1");
  return tarItem({ name: "PaxHeaders/x", type, content: data });
}

function paxRecord([keyword, value]: readonly [string, string]): string {
  const rest = ` ${keyword}=${value}\n`;
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

/** One header block with a right checksum. */
export function tarHeader(item: Omit<TarItem, "content" | "pax">): Buffer {
  const { name, linkname = "", uid = 0, gid = 0, mtime = 0, size = 0, magic = "ustar\u000000" } = item;
  const type = item.type ?? (name.endsWith("/") ? "5" : "0");
  const block = Buffer.alloc(512);
  if (name.length > 100 || linkname.length > 100) throw new RangeError(`give ${name} a pax header for its long names`);
  block.write(name, 0, "latin1");
  block.write(octal(item.mode ?? (type === "5" ? 0o755 : 0o644), 7), 100);
  block.write(octal(uid, 7), 108);
  block.write(octal(gid, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(mtime, 11), 136);
  block.write(type, 156, "latin1");
  block.write(linkname, 157, "latin1");
  block.write(magic, 257, "latin1");
  return sealed(block);
}

/** Writes the checksum of what is in the block. */
export function sealed(block: Buffer): Buffer {
  block.write("        ", 148);
  block.write(
    `${octal(
      block.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\u0000 `,
    148,
  );
  return block;
}

export function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
