import { tarEnd, tarHeader, tarPadding } from "../get/tar-header.ts";

/** A tar archive (POSIX ustar) of small text files, the same bytes for the same files: owner 0, time 0, mode 0644. */
export function tarOf(files: { readonly [path: string]: string }): Buffer {
  const parts = Object.entries(files).flatMap(([path, text]) => {
    const data = Buffer.from(text, "utf8");
    return [tarHeader(path, data.length), data, tarPadding(data.length)];
  });
  return Buffer.concat([...parts, tarEnd]);
}
