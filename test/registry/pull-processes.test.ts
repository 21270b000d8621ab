import { type ChildProcess, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createImageRegistry } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { createFileArtifactStore, pruneArtifacts } from "@fetch-image/store/filesystem";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { FetchOutcome, FetchWork } from "./fetch-child.ts";
import { patient, sourceAt } from "./support.ts";

// Processes are started: seconds of processor time, more where others need it too.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let peer: EmbeddedRegistry;
let directory: string;
let children: ChildProcess[];

beforeEach(async () => {
  peer = await startEmbeddedRegistry();
  directory = mkdtempSync(join(tmpdir(), "fetch-image-processes-"));
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map(kill));
  await peer.close();
  rmSync(directory, { recursive: true, force: true });
});

// Reads the sources, as the tests do.
const hook = new URL("../store/child/typescript-hook.mjs", import.meta.url).href;
const execArgv = ["--import", hook, "--conditions", "fetch-image:source"];

function start(work: FetchWork): ChildProcess {
  const script = fileURLToPath(new URL("fetch-child.ts", import.meta.url));
  const child = fork(script, [JSON.stringify(work)], { execArgv, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  children.push(child);
  return child;
}

async function outcomeOf(child: ChildProcess): Promise<FetchOutcome> {
  const [outcome]: FetchOutcome[] = await once(child, "message");
  return outcome ?? { failed: "nothing was told" };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

const megabytes = (count: number, letter: string): { readonly [path: string]: string } => ({
  file: letter.repeat(count * 1_000_000),
});

function partSizes(): number[] {
  try {
    const folder = join(directory, "partials");
    return readdirSync(folder).map((name) => statSync(join(folder, name)).size);
  } catch {
    return [];
  }
}

function expectTruthOf(folder: string): void {
  for (const name of readdirSync(join(folder, "blobs", "sha256"))) {
    const bytes = readFileSync(join(folder, "blobs", "sha256", name));
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(name);
  }
}

test("what a killed process had fetched, the next one does not fetch again", async () => {
  const { digest, layers, repository } = await peer.push("acme/app:1", { layers: [megabytes(6, "a")] });
  const path = `/v2/acme/app/blobs/${layers[0]}`;
  peer.stallBodyAfter("GET", path, 4_000_000, 1);
  const victim = start({ repository, digest, directory });
  await expect.poll(() => Math.max(0, ...partSizes()), { timeout: 60_000 }).toBeGreaterThan(1_000_000);
  await kill(victim);
  const had = Math.max(...partSizes());
  await using registry = createImageRegistry();
  const store = createFileArtifactStore({ directory });
  const fetched = await registry.fetchImage(sourceAt(peer, "acme/app"), digest, { store, ...patient });
  expect(peer.requests.filter((request) => request.path === path).at(-1)?.range).toBe(`bytes=${had}-`);
  expect(fetched.downloadedBytes).toBeLessThan(fetched.bytes - 1_000_000);
  expectTruthOf(directory);
  expect(partSizes()).toEqual([]);
});

test("many processes fetch one image into one store, over bad lines, one is killed, one prunes: all is right", async () => {
  const letters = ["a", "b", "c", "d"];
  const { digest, repository } = await peer.push("acme/app:1", { layers: letters.map((each) => megabytes(2, each)) });
  peer.cutBodyAfter("GET", /\/blobs\//, 1_200_000, 8);
  const [victim, ...others] = Array.from({ length: 4 }, () => start({ repository, digest, directory }));
  const outcomes = Promise.all(others.map(outcomeOf));
  await expect.poll(() => peer.counts.blob, { timeout: 60_000 }).toBeGreaterThan(3);
  if (victim) await kill(victim);
  await pruneArtifacts({ directory, keep: {} });
  const layouts = (await outcomes).map((outcome) => ("layout" in outcome ? outcome.layout : outcome.failed));
  expect(new Set(layouts).size).toBe(1);
  const [layout = ""] = layouts;
  expect(readdirSync(join(layout, "blobs", "sha256"))).toHaveLength(6);
  expectTruthOf(layout);
  expectTruthOf(directory);
});
