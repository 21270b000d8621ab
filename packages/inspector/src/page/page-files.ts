import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

/** A file of the page, in memory, as browsers are given it. */
export interface PageFile {
  readonly type: string;
  readonly etag: string;
  /** Its name changes with what is in it. */
  readonly hashed: boolean;
  readonly encodings: { readonly br?: Buffer; readonly gzip?: Buffer; readonly identity: Buffer };
}

/** Where the page's build stands, beside this package's own. */
const builtPage: string = fileURLToPath(new URL("../../dist-web", import.meta.url));

/**
 * The page's files by their path below the page, `""` the page itself: what is in memory is all that can be asked for. Read
 * when first asked for, and again when the page is another. Undefined where there is none.
 */
export class PageFiles {
  readonly #directory: string;
  #read: { readonly stamp: string; readonly files: Promise<ReadonlyMap<string, PageFile>> } | undefined;

  constructor(directory: string = builtPage) {
    this.#directory = directory;
  }

  async get(path: string): Promise<PageFile | undefined> {
    return (await this.#current())?.get(path);
  }

  async exists(): Promise<boolean> {
    return (await this.#current()) !== undefined;
  }

  async #current(): Promise<ReadonlyMap<string, PageFile> | undefined> {
    const index = await stat(join(this.#directory, "index.html")).catch(() => undefined);
    if (index === undefined) return undefined;
    const stamp = `${index.mtimeMs} ${index.size} ${index.ino}`;
    if (this.#read?.stamp !== stamp) {
      const read = { stamp, files: readPage(this.#directory) };
      this.#read = read;
      read.files.catch(() => {
        if (this.#read === read) this.#read = undefined;
      });
    }
    return await this.#read.files;
  }
}

/** Below which the files stand whose names have a hash. */
export const assetsFolder = "inspector";

async function readPage(directory: string): Promise<ReadonlyMap<string, PageFile>> {
  const names = await readdir(join(directory, assetsFolder)).catch(() => []);
  const assets = names.filter((name) => types[extname(name)] !== undefined).map((name) => `${assetsFolder}/${name}`);
  const files = await Promise.all(
    ["index.html", ...assets].map(async (path) => {
      const file = await pageFile(await readFile(join(directory, path)), path);
      return [path === "index.html" ? "" : path, file] as const;
    }),
  );
  return new Map(files);
}

const types: { readonly [extension: string]: string } = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
};
const alreadyCompressed = new Set([".png", ".woff2"]);

const brotli = promisify(brotliCompress);
const zip = promisify(gzip);

async function pageFile(identity: Buffer, path: string): Promise<PageFile> {
  const extension = extname(path);
  const etag = `"${createHash("sha256").update(identity).digest("base64url").slice(0, 22)}"`;
  const file = { type: types[extension] ?? "application/octet-stream", etag, hashed: path !== "index.html" };
  if (alreadyCompressed.has(extension)) return { ...file, encodings: { identity } };
  const [br, gz] = await Promise.all([
    brotli(identity, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
    zip(identity, { level: 9 }),
  ]);
  return { ...file, encodings: { br, gzip: gz, identity } };
}
