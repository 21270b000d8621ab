import { tarPadding } from "../get/tar-header.ts";

/** An entry of a layer. Names are bytes, see byte-text.ts. */
export interface LayerEntry {
  readonly name: string;
  /** `0` a file, `1` a hard link, `2` a symbolic link, `5` a directory, `6` a FIFO. */
  readonly type: "0" | "1" | "2" | "5" | "6";
  readonly linkname?: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
}

const blockSize = 512;

/** Its header (POSIX ustar), and before it the pax header with what ustar has no room for. Time 0, no names of owners. */
export function* entryHeaders(entry: LayerEntry): Generator<Buffer, void, undefined> {
  const { name, linkname = "", uid, gid, size } = entry;
  const records = {
    ...(fits(name) ? {} : { path: name }),
    ...(fits(linkname) ? {} : { linkpath: linkname }),
    ...(uid > mostOwner ? { uid: String(uid) } : {}),
    ...(gid > mostOwner ? { gid: String(gid) } : {}),
    ...(size > mostSize ? { size: String(size) } : {}),
  };
  if (Object.keys(records).length > 0) {
    const data = Buffer.from(Object.entries(records).map(paxRecord).join(""), "latin1");
    yield header({ name: "pax", type: "x", mode: 0o644, uid: 0, gid: 0, size: data.length });
    yield data;
    yield tarPadding(data.length);
  }
  yield header(entry);
}

// Pax has names in UTF-8. What is not ASCII goes there too: readers take ustar's bytes for whatever their locale says.
function fits(text: string): boolean {
  return text.length <= 100 && /^[\u0020-\u007e]*$/.test(text);
}

const mostOwner = 0o7777777;
const mostSize = 0o77777777777;

/** `25 path=…`: the length counts itself (pax(1), "pax Extended Header"). */
function paxRecord([keyword, value]: readonly [string, string]): string {
  const rest = ` ${keyword}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

function header(entry: Omit<LayerEntry, "type"> & { readonly type: string }): Buffer {
  const { name, type, linkname = "", mode, uid, gid, size } = entry;
  const block = Buffer.alloc(blockSize);
  block.write(name.slice(0, 100), 0, "latin1");
  block.write(octal(mode, 7), 100);
  block.write(octal(uid > mostOwner ? 0 : uid, 7), 108);
  block.write(octal(gid > mostOwner ? 0 : gid, 7), 116);
  block.write(octal(size > mostSize ? 0 : size, 11), 124);
  block.write(octal(0, 11), 136);
  block.write("        ", 148);
  block.write(type, 156);
  block.write(linkname.slice(0, 100), 157, "latin1");
  block.write("ustar\u000000", 257);
  block.write(octal(0, 7), 329);
  block.write(octal(0, 7), 337);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\u0000 `, 148);
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
