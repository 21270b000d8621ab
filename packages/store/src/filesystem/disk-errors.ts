import { type Digest, FetchImageError } from "@fetch-image/core/registry-image";

export function absent(root: string, digest: Digest): FetchImageError {
  return new FetchImageError("FI_IMAGE_UNKNOWN", {
    message: `the artifact store ${root} does not hold ${digest}`,
    hint: "Fetch the image again; the store may have been pruned.",
    details: { digest },
  });
}

export function mismatch(digest: Digest, got: string): FetchImageError {
  return new FetchImageError("FI_DIGEST_MISMATCH", {
    message: `what was to be ${digest} has ${got}: nothing of it is kept`,
    details: { digest },
  });
}

export async function withStoreErrors<T>(root: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asStoreError(root, error);
  }
}

/** What the disk refuses, in our words. Errors of the bytes' source pass as they are. */
export function asStoreError(root: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === "ENOSPC" || code === "EDQUOT") {
    const message = `the disk of the artifact store ${root} is full`;
    return new FetchImageError("FI_STORE_FULL", { message, details: { directory: root }, cause: error });
  }
  if (code !== undefined && unusable.has(code)) {
    const message = `the artifact store ${root} cannot be used (${code})`;
    return new FetchImageError("FI_STORE_UNREADABLE", { message, details: { directory: root }, cause: error });
  }
  return error;
}

// ENOENT: somebody takes the store away under our hands.
const unusable = new Set([
  "EACCES",
  "EROFS",
  "EPERM",
  "ENOTDIR",
  "EISDIR",
  "EIO",
  "EEXIST",
  "ENOENT",
  "EMFILE",
  "ENFILE",
]);

/** Only of what a system call on a file said: a socket's errors have no path. */
function codeOf(error: unknown): string | undefined {
  const isFile = error instanceof Error && "code" in error && "syscall" in error && isFileCall(String(error.syscall));
  return isFile && typeof error.code === "string" ? error.code : undefined;
}

function isFileCall(syscall: string): boolean {
  return !["connect", "getaddrinfo", "listen", "bind", "spawn"].includes(syscall);
}
