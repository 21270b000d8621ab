import { readFileSync } from "node:fs";

/** Of the package that this file is part of. */
export function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const isRead = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return isRead ? String(manifest.version) : "unknown";
}
