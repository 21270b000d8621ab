// A build's log for Concourse's clients, by the command: printed, served, followed and verified.
import { createWebSocketReceiver, type StatelyInspectionEvent } from "@statelyai/inspect";
import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { example, fetchImage, type Images, startFetchImage, startImages } from "../support/cli.ts";
import { fetchImageInHost } from "../support/command-host.ts";
import { flyWatch } from "../support/concourse-readers/fly-watch.ts";
import { webPage } from "../support/concourse-readers/web-page.ts";
import { makeEmbeddedStore } from "../support/embedded.ts";
import { ask, follow, hasEnded } from "../support/event-stream-client.ts";
import { scratch } from "../support/scratch.ts";

let images: Images;
const folder = scratch("logs");
const token = "a-token-of-the-tests";

beforeAll(async () => {
  images = await startImages();
  await makeEmbeddedStore(folder.path(".fetch-image"));
  await fetchImageInHost(["run", example("custom-type"), ...images.vars], { cwd: folder.directory });
});
afterAll(async () => {
  await images.registry.close();
  folder[Symbol.dispose]();
});

test("the log is one and the same, printed, followed and served beside it, and verified by its hash", async () => {
  const run = (...args: readonly string[]) => fetchImageInHost(args, { cwd: folder.directory });
  const serving = startFetchImage(["serve", "--port", "0", "--stately", "--stately-port", "0", "--token", token], {
    cwd: folder.directory,
  });
  await serving.says("serving ");
  const [printed, followed, verified, text] = await Promise.all([
    fetchImage(["log", "1", "--format", "concourse"], { cwd: folder.directory }),
    run("log", "1", "--format", "concourse", "--follow"),
    run("log", "1", "--verify", "--json"),
    run("log", "1", "--follow"),
  ]);
  expect([printed, followed, verified, text].map(({ status }) => status)).toEqual([0, 0, 0, 0]);
  expect(followed.stdout).toBe(printed.stdout);
  const sha256 = createHash("sha256").update(printed.stdout).digest("hex");
  expect(verified.json()).toEqual([{ build: "1", events: expect.any(Number), sha256, renderer: "1" }]);
  expect(text.stdout).toMatch(/\n {2}[\d:.]+ +\+\S+ {2}build succeeded\n/);

  const origin = `http://${serving.said(/http:\/\/([^\s/]+)/)}`;
  const authorization = `Bearer ${token}`;
  expect((await ask(`${origin}/api/v1/info`)).status).toBe(401);
  const follower = await follow(`${origin}/api/v1/builds/1/events`, { authorization });
  expect(await follower.until(hasEnded)).toBe(printed.stdout);
  follower.close();
  const plan = await ask(`${origin}/api/v1/builds/1/plan`, { headers: { authorization } });
  const page = webPage(plan.text, printed.stdout);
  expect([page.dropped, page.orphans, page.wiped]).toEqual([[], [], []]);
  const shown = [...page.steps.values()].filter(({ id }) => id.includes("/image-")).map(({ state }) => state);
  expect(new Set(shown)).toEqual(new Set(["succeeded"]));
  const watched = flyWatch(printed.stdout);
  expect(watched.exitStatus).toBe(0);
  expect(watched.printed).toContain(`kubelet pulls ${images.registry.host}/acme/`);

  await serving.says("telling Stately's inspector");
  const stately = serving.said(/inspector on http:\/\/(\S+)/);
  const first = await new Promise<StatelyInspectionEvent>((resolve) => {
    createWebSocketReceiver({ server: `ws://${stately}?token=${token}` }).subscribe(resolve);
  });
  expect(first).toMatchObject({ type: "@xstate.actor", sessionId: "build-1" });

  serving.kill("SIGINT");
  expect((await serving.ended).status).toBe(130);
});

test("what cannot be is refused before anything is opened", async () => {
  const refused = await Promise.all(
    [
      ["log", "1", "--format", "xml"],
      ["serve", "--address", "0.0.0.0"],
    ].map((args) => fetchImage(args, { cwd: folder.directory })),
  );
  expect(refused.map(({ status }) => status)).toEqual([2, 2]);
  expect(refused[1]?.stderr).toContain("0.0.0.0 is not this machine's own loopback, and there is no token");
});
