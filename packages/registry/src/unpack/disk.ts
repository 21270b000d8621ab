import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  write,
  writeSync,
} from "node:fs";
import { bytesOfPath, pathOnDisk } from "./byte-text.ts";

export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds. */
  readonly mtime: number;
}

/**
 * The directory that is being filled. Paths are bytes, relative to it, and their parents are known to be directories of
 * ours: nothing here follows a symbolic link, provided that nobody else changes the directory meanwhile.
 */
export class Disk {
  readonly directory: string;
  /** Only root can give files away. */
  readonly asRoot: boolean = process.geteuid?.() === 0;
  readonly #prefix: string;

  constructor(directory: string) {
    this.directory = directory;
    this.#prefix = `${bytesOfPath(directory)}/`;
  }

  /** Open to its owner alone until {@link setAttributes}, so that nothing locks us out before all is in it. */
  makeDirectory(path: string): void {
    mkdirSync(this.#at(path), 0o700);
  }

  removeDirectory(path: string): void {
    rmdirSync(this.#at(path));
  }

  unlink(path: string): void {
    unlinkSync(this.#at(path));
  }

  symlink(path: string, target: string, attributes: Attributes): void {
    const place = this.#at(path);
    symlinkSync(pathOnDisk(target), place);
    if (this.asRoot) lchownSync(place, attributes.uid, attributes.gid);
    const time = timeOnDisk(attributes.mtime);
    lutimesSync(place, time, time);
  }

  hardLink(existing: string, path: string): void {
    linkSync(this.#at(existing), this.#at(path));
  }

  /** Makes a file where nothing is. Attributes last: a new owner costs a file its setuid bit. */
  async writeFile(path: string, content: FileContent, attributes: Attributes): Promise<void> {
    const file = openSync(this.#at(path), fileFlags, 0o600);
    try {
      for (let part; (part = await content.next());) await writeAll(file, part.bytes, part.position);
      if (content.size !== undefined) ftruncateSync(file, content.size);
      if (this.asRoot) fchownSync(file, attributes.uid, attributes.gid);
      fchmodSync(file, attributes.mode);
      const time = timeOnDisk(attributes.mtime);
      futimesSync(file, time, time);
    } finally {
      closeSync(file);
    }
  }

  /** Of anything but a symbolic link. */
  setAttributes(path: string, attributes: Attributes): void {
    this.setOwner(path, attributes);
    this.setModeAndTime(path, attributes);
  }

  /** Costs a file its setuid bit and its capabilities. */
  setOwner(path: string, { uid, gid }: Attributes): void {
    if (this.asRoot) lchownSync(this.#at(path), uid, gid);
  }

  setModeAndTime(path: string, { mode, mtime }: Attributes): void {
    const place = this.#at(path);
    chmodSync(place, mode);
    const time = timeOnDisk(mtime);
    utimesSync(place, time, time);
  }

  setMode(path: string, mode: number): void {
    chmodSync(this.#at(path), mode);
  }

  #at(path: string): string | Buffer {
    return pathOnDisk(this.#prefix + path);
  }
}

export interface FileContent {
  /** Valid until the next call. */
  next(): Promise<{ readonly bytes: Buffer; readonly position: number } | undefined>;
  /** Where it may end with a hole. */
  readonly size: number | undefined;
}

const fileFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

async function writeAll(file: number, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const left = bytes.length - done;
    done +=
      left <= 64 * 1024
        ? writeSync(file, bytes, done, left, position + done)
        : await new Promise<number>((resolve, reject) => {
            write(file, bytes, done, left, position + done, (error, count) => (error ? reject(error) : resolve(count)));
          });
  }
}

/**
 * Node hands times to the system in microseconds, cutting off what is left of a binary fraction; half of one more makes
 * that the right one. It takes a time before 1970 only as text.
 */
function timeOnDisk(seconds: number): number | string {
  if (Number.isInteger(seconds)) return seconds < 0 ? String(seconds) : seconds;
  const microseconds = Math.round(seconds * 1e6);
  return microseconds < 0 ? String((microseconds - 0.5) / 1e6) : (microseconds + 0.5) / 1e6;
}
