// `serve` on a data directory that others use: through whoever holds it, and they through it.
import type { FetchSummary } from "@fetch-image/inspector";
import { afterAll, beforeAll, expect, test } from "vitest";
import { documents, example, type Images, type RunningCommand, startFetchImage, startImages } from "../support/cli.ts";
import { fetchImageInHost } from "../support/command-host.ts";
import { makeEmbeddedStore } from "../support/embedded.ts";
import { ask } from "../support/event-stream-client.ts";
import { followEvents } from "../support/inspector-server.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

let images: Images;
let place: Scratch;
let serving: RunningCommand;
let origin: string;

beforeAll(async () => {
  images = await startImages();
  place = scratch("serve");
  await makeEmbeddedStore(place.path("data"));
  serving = startFetchImage(["serve", "--port", "0", "--data", "data"], { cwd: place.directory });
  await serving.says("serving ");
  origin = serving.said(/(http:\/\/[^\s/]+)/);
}, 60_000);
afterAll(async () => {
  serving.kill("SIGINT");
  await serving.ended;
  await images.registry.close();
  place[Symbol.dispose]();
});

const command = (...args: readonly string[]) => fetchImageInHost([...args, "--data", "data"], { cwd: place.directory });
const api = (path: string) => `${origin}/api/v1/fetch-image/${path}`;

test("whoever looks on sees a run that takes the directory over, while it runs and when it is gone", async () => {
  const events = await followEvents(api("fetches/live"));
  await events.until("caught-up", 1);
  const ran = await command("run", example("task-image"), ...images.vars, "--json");
  expect(ran.status).toBe(0);
  const wanted = ran.json().map(({ image }) => image);
  const last = () => {
    const seen = events
      .all()
      .flatMap(({ event, data }): FetchSummary[] => (event === "fetch" ? [JSON.parse(data)] : []));
    return [...new Map(seen.map((summary) => [summary.fetch, summary])).values()];
  };
  await expect
    .poll(() => new Set(last().map(({ reference }) => reference)), { timeout: 10_000 })
    .toEqual(new Set(wanted));
  events.follower.close();

  const { fetches } = JSON.parse((await ask(api("fetches"))).text);
  expect(new Set(fetches.map(({ reference }: FetchSummary) => reference))).toEqual(new Set(wanted));
  const facts = await ask(api("builds/1/facts"), { headers: { accept: "application/x-ndjson" } });
  expect(documents(facts.text).map(({ type }) => type)).toContain("ImageShortCircuited");
});

test("every command that reads goes through it, and says what it would say alone", async () => {
  const { registry, digests } = images;
  const reference = `${registry.host}/acme/golang:1.22`;
  const digest = digests["acme/golang:1.22"] ?? "";
  const said = await Promise.all(
    [
      ["log", "1", "--verify"],
      ["replay", "1", "--json"],
      ["why", "1"],
      ["versions", reference, "--json"],
      ["as-of", reference, new Date().toISOString(), "--json"],
      ["builds", "--digest", digest, "--json"],
      ["drift", "--json"],
      ["rerun", "1"],
      ["export", "1", "--json"],
      ["export", "1", "--format", "ndjson"],
      ["export", "--table", "images"],
    ].map(async (args) => ({ args, ...(await command(...args)) })),
  );
  // It empties the tables that the others ask.
  const rebuilt = { args: ["rebuild"], ...(await command("rebuild")) };
  for (const { args, status, stderr } of [...said, rebuilt])
    expect({ args, status, stderr: status === 0 ? "" : stderr }).toEqual({ args, status: 0, stderr: "" });
  const of = (...args: readonly string[]) => said.find((one) => args.every((arg, at) => one.args[at] === arg));
  expect(
    of("replay")
      ?.json()
      .map(({ type }) => type),
  ).toEqual(
    of("export", "1", "--format")
      ?.json()
      .map(({ type }) => type),
  );
  expect(of("builds")?.json()).toMatchObject([{ build: "1" }]);
  expect(of("rerun")?.stdout).toContain(digest);
  // It serves on, and what was rebuilt is what it lists.
  const { fetches } = JSON.parse((await ask(api(`fetches?q=${digest}`))).text);
  expect(fetches).toMatchObject([{ build: "1", digest }]);
});

test("a second server beside it reads through it, on a port of its own", async () => {
  const second = startFetchImage(["serve", "--port", "0", "--data", "data"], { cwd: place.directory });
  await second.says("serving ");
  const { text } = await ask(`${second.said(/(http:\/\/[^\s/]+)/)}/api/v1/fetch-image/fetches`);
  expect(JSON.parse(text)).toEqual(JSON.parse((await ask(api("fetches"))).text));
  second.kill("SIGINT");
  expect((await second.ended).status).toBe(130);
});
