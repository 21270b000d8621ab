import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { keyOfDirectory } from "./credential-key.ts";

test("a directory's key is one for all who make it at the same time, and nothing else is left there", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fetch-image-key-"));
  onTestFinished(() => {
    rmSync(directory, { recursive: true });
  });
  const data = join(directory, "data");
  const keys = await Promise.all(Array.from({ length: 20 }, () => keyOfDirectory(data)));
  expect(new Set([...keys, await keyOfDirectory(data)]).size).toBe(1);
  expect(keys[0]).toMatch(/^[\w-]{43}$/);
  expect(readdirSync(data)).toEqual(["credential-key"]);
  expect((statSync(join(data, "credential-key")).mode & 0o777).toString(8)).toBe("600");
});
