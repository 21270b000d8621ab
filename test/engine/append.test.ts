// The scheduler's own events in a build's log: once each, in order, without secrets, whatever becomes of the process.
import { createHash } from "node:crypto";
import { buildStream, renderConcourseLog, type SchedulerEvent } from "@fetch-image/core";
import { describe, expect, test } from "vitest";
import { flyWatch } from "../support/concourse-readers/fly-watch.ts";
import { factsOf, factTypesOf, scene } from "../support/engine.ts";

const origin = { id: "1", source: "stdout" } as const;
const log = (payload: string): SchedulerEvent => ({ event: "log", data: { origin, payload } });
const started: SchedulerEvent = { event: "status", data: { status: "started" } };
const succeeded: SchedulerEvent = { event: "status", data: { status: "succeeded" } };
const source = { repository: "registry.test/app", tag: "v1" };

describe("the scheduler's events", () => {
  test("stand in one log with those of the fetches, in the order in which they came", async () => {
    const { engine, eventLog, registry } = scene();
    registry.push("registry.test/app:v1", "one");
    const build = await engine.openBuild({ id: "7" });
    await build.append({ key: "started", ...started });
    await build.append({ key: "1/initialize", event: "initialize-task", data: { origin: { id: "1" } } });
    const imageResource = { name: "image", type: "registry-image", source };
    await build.fetchTaskImage({ stepId: "1", imageResource, resourceTypes: [], privileged: false });
    await Promise.all([
      build.append({
        key: "1/start",
        event: "start-task",
        data: { origin: { id: "1" }, config: { run: { path: "go" } } },
      }),
      build.append({ key: "1/0", ...log("ok\n") }),
      build.append({ key: "1/finish", event: "finish-task", data: { origin: { id: "1" }, exit_status: 3 } }),
      build.append({ key: "ended", event: "status", data: { status: "failed" } }),
    ]);
    const { printed, exitStatus } = flyWatch(renderConcourseLog(await factsOf(eventLog, "7")));
    expect(printed).toMatch(
      /^initializing\ninitializing check: image\n.* -> sha256:.*\nkubelet pulls .*\nrunning go\nok\nfailed\n$/,
    );
    expect(exitStatus).toBe(3);
  });

  test("are stored once: a key that stands there is not stored again, by this process or the next", async () => {
    const { engine, eventLog, clock } = scene();
    const build = await engine.openBuild({ id: "7" });
    await Promise.all([build.append({ key: "a", ...log("once\n") }), build.append({ key: "a", ...log("once\n") })]);
    await build.close();
    const next = scene({ eventLog, clock });
    const again = await next.engine.openBuild({ id: "7" });
    await again.append({ key: "a", ...log("once\n") });
    expect(await factTypesOf(eventLog, "7")).toEqual(["BuildOpened", "BuildEventSaved"]);
    await again.append({ key: "b", ...log("twice\n") });
    expect(flyWatch(renderConcourseLog(await factsOf(eventLog, "7"))).printed).toBe("once\ntwice\n");
  });

  test.each<[what: string, event: SchedulerEvent & { readonly key: string }, says: string]>([
    [
      "an event that clients do not know",
      { key: "a", event: "image-resolved" as never, data: {} as never },
      '"image-resolved"',
    ],
    ["a field that is none", { key: "a", event: "status", data: { status: "done" as never } }, "status.status must be"],
    ["no key", { key: "", ...started }, "a key has 1 to 200 characters"],
    ["a key with a line break", { key: "a\nb", ...started }, "a key has 1 to 200 characters"],
    ["a key of another event", { key: "started", ...log("") }, "the key stands for a status already"],
    ["a text that is too long", { key: "a", ...log("x".repeat(524_289)) }, "log.payload has 524289 characters"],
  ])("%s is refused, and nothing is stored", async (_what, event, says) => {
    const { engine, eventLog } = scene();
    const build = await engine.openBuild({ id: "7" });
    await build.append({ key: "started", ...started });
    await expect(build.append(event)).rejects.toMatchObject({
      code: "FI_EVENT_INVALID",
      message: expect.stringContaining(says),
    });
    expect(await factTypesOf(eventLog, "7")).toEqual(["BuildOpened", "BuildEventSaved"]);
  });

  test("have times that never decrease, whatever the clock does", async () => {
    const { engine, eventLog, clock } = scene();
    const build = await engine.openBuild({ id: "7" });
    await build.append({ key: "a", ...started });
    const now = clock.now();
    clock.now = () => now - 60_000;
    await build.append({ key: "b", ...succeeded });
    const times = (await factsOf(eventLog, "7")).map(({ metadata }) => metadata.time);
    expect(times).toEqual(times.toSorted());
  });
});

describe("with the last status", () => {
  test("the log's hash is kept, and nothing more is taken", async () => {
    const { engine, eventLog } = scene();
    const build = await engine.openBuild({ id: "7" });
    await build.append({ key: "started", ...started });
    await build.append({ key: "ended", ...succeeded });
    const facts = await factsOf(eventLog, "7");
    const text = renderConcourseLog(facts);
    const sha256 = createHash("sha256").update(text).digest("hex");
    expect(facts.at(-1)).toMatchObject({
      type: "BuildLogSealed",
      data: { buildId: "7", renderer: "1", events: 2, sha256 },
    });
    await expect(build.append({ key: "late", ...log("late\n") })).rejects.toMatchObject({
      code: "FI_EVENT_INVALID",
      message: expect.stringContaining("the build has ended: succeeded"),
    });
    await expect(build.append({ key: "ended", ...succeeded })).resolves.toBeUndefined();
    expect(await factsOf(eventLog, "7")).toHaveLength(facts.length);
  });

  test("a process that dies before the hash is kept leaves it to whoever repeats the status", async () => {
    const { engine, eventLog, clock } = scene();
    const build = await engine.openBuild({ id: "7" });
    await build.append({ key: "started", ...started });
    await build.append({ key: "ended", ...succeeded });
    // As if it had died in between: the same stream without its last fact.
    const stored = (await eventLog.read(buildStream("7"))).slice(0, -1);
    const { eventLog: dead } = scene();
    await dead.append(
      buildStream("7"),
      "no-stream",
      stored.map(({ id, type, data, metadata }) => ({ id, type, data, metadata })),
    );
    const next = scene({ eventLog: dead, clock });
    const again = await next.engine.openBuild({ id: "7" });
    await again.append({ key: "ended", ...succeeded });
    const [sealed] = (await factsOf(dead, "7")).filter(({ type }) => type === "BuildLogSealed");
    const [before] = (await factsOf(eventLog, "7")).filter(({ type }) => type === "BuildLogSealed");
    expect(sealed?.data).toEqual(before?.data);
  });
});

describe("secrets", () => {
  const secrets = ["s3cret-value", "-----BEGIN KEY-----\nabcdefgh\nijklmnop\n-----END KEY-----"];

  test("are cut over the borders of texts and of lines, and what was held comes with what ends the step", async () => {
    const { engine, eventLog } = scene();
    const build = await engine.openBuild({ id: "7", secrets });
    const texts = [
      "token s3c",
      "ret-va",
      "lue ok\n",
      "abcd\r\nefgh ijkl\nmnop\n",
      "wraps s3cret\n-value",
      " ends in s3cret-",
    ];
    for (const [index, payload] of texts.entries()) await build.append({ key: `1/${index}`, ...log(payload) });
    await build.append({ key: "1/other", event: "log", data: { origin: { id: "2" }, payload: "value\n" } });
    await build.append({
      key: "1/error",
      event: "error",
      data: { origin: { id: "1" }, message: "s3cret-value is wrong" },
    });
    const { printed } = flyWatch(renderConcourseLog(await factsOf(eventLog, "7")));
    expect(printed).toBe(
      "token ((redacted)) ok\n((redacted)) ((redacted))\nwraps ((redacted)) ends in value\ns3cret-((redacted)) is wrong\n",
    );
  });

  test("that a fetch has are cut, too; and closing the build writes what was held", async () => {
    const { engine, eventLog, registry } = scene();
    registry.push("registry.test/app:v1", "one");
    const build = await engine.openBuild({ id: "7" });
    const getPlan = { id: "1/image-get", get: { name: "app", type: "registry-image", source } };
    const checkPlan = { id: "1/image-check", check: { name: "app", type: "registry-image", source } };
    await build.fetchImage({ getPlan, checkPlan, privileged: false, secrets: ["hunter22"] });
    await build.append({ key: "a", ...log("hunter22 hun") });
    await build.close();
    const payloads = (await factsOf(eventLog, "7")).flatMap((fact) =>
      fact.type === "BuildEventSaved" ? [fact.data.data["payload"]] : [],
    );
    expect(payloads).toEqual(["((redacted)) ", "hun"]);
  });

  // By the letters of the secret that come before the build moves to another node.
  test.each([
    ["it is ((redacted)).\n", 0],
    ["it is s3((redacted)).\n", 2],
    ["it is s3cre((redacted)).\n", 5],
    ["it is ((redacted))((redacted)).\n", 6],
    ["it is ((redacted))alue.\n", 8],
    ["it is ((redacted)).\n", 12],
  ])("of one whose build moves to another node in its middle no half is written: %j", async (printed, letters) => {
    const text = "it is s3cret-value.\n";
    const cut = text.indexOf("s3cret") + letters;
    expect(await printedOver({ a: text.slice(0, cut), ends: "closed" }, byLetter(text.slice(cut)))).toBe(printed);
  });

  test.each(["\n", "\r\n"])("and none of one that is wrapped where the build moves: %j", async (lineBreak) => {
    const printed = await printedOver({ a: "it is s3c", ends: "closed" }, byLetter(`${lineBreak}ret-value.\n`));
    expect(printed).toBe("it is s3c((redacted)).\n");
  });

  test("a line of a key counts for itself, as all of the key does", async () => {
    const { engine, eventLog } = scene();
    const key = ["AAAAAAAA", "BBBBBBBB", "CCCCCCCC", "DDDDDDDD", "EEEEEEEE"].join("\n");
    const build = await engine.openBuild({ id: "7", secrets: [key] });
    await build.append({ key: "a", ...log("AAAAAAAA\nBBBBBBB") });
    await build.close();
    expect(flyWatch(renderConcourseLog(await factsOf(eventLog, "7"))).printed).toBe("((redacted))((redacted))");
  });

  test("a text that is repeated is not taken for the end of one, and stands in the log once", async () => {
    expect(await printedOver({ a: "ret", ends: "killed" }, { a: "ret", b: "ried\n" })).toBe("retried\n");
  });

  test("nor is one written whose beginning was held when its process died, and nothing else of the step stored", async () => {
    const { engine, eventLog, clock, registry } = scene();
    registry.push("registry.test/app:v1", "one");
    const build = await engine.openBuild({ id: "7", secrets });
    const getPlan = { id: "1/image-get", get: { name: "app", type: "registry-image", source } };
    const checkPlan = { id: "1/image-check", check: { name: "app", type: "registry-image", source } };
    await build.fetchImage({ getPlan, checkPlan, privileged: false });
    await build.append({ key: "a", ...log("s3c") });
    const next = scene({ eventLog, clock });
    const again = await next.engine.openBuild({ id: "7", secrets });
    await again.append({ key: "b", ...log("ret-value.\n") });
    const texts = (await factsOf(eventLog, "7")).flatMap((fact) =>
      fact.type === "BuildEventSaved" ? [fact.data.data["payload"]] : [],
    );
    expect(texts).toEqual(["((redacted)).\n"]);
  });

  test("nor where the process died with the first half, or the step ends with the second", async () => {
    const { engine, eventLog, clock } = scene();
    const build = await engine.openBuild({ id: "7", secrets });
    await build.append({ key: "a", ...log("it is s3c") });
    // No close: the process is gone.
    const next = scene({ eventLog, clock });
    const again = await next.engine.openBuild({ id: "7", secrets });
    await again.append({ key: "b", ...log("ret-valu") });
    await again.append({ key: "end", event: "finish-task", data: { origin: { id: "1" }, exit_status: 0 } });
    expect(flyWatch(renderConcourseLog(await factsOf(eventLog, "7"))).printed).toBe("it is ((redacted))");
  });

  test("less than half of one tells little, and stays as it is", async () => {
    const printed = await printedOver({ a: "it is s3", ends: "closed" }, { b: "-value for t-", c: "value.\n" });
    expect(printed).toBe("it is s3((redacted)) for t-value.\n");
  });

  test("are cut where a process died with the beginning of one held, if the text is repeated", async () => {
    const printed = await printedOver({ a: "it is s3cret-", ends: "killed" }, { a: "it is s3cret-", b: "value.\n" });
    expect(printed).toBe("it is ((redacted)).\n");
  });

  /** What is printed of a step whose first text, `a`, one process was given, and the others, by their keys, the next one. */
  async function printedOver(
    { a, ends }: { readonly a: string; readonly ends: "closed" | "killed" },
    texts: { readonly [key: string]: string },
  ): Promise<string> {
    const { engine, eventLog, clock } = scene();
    const build = await engine.openBuild({ id: "7", secrets });
    await build.append({ key: "a", ...log(a) });
    if (ends === "closed") await build.close();
    const next = scene({ eventLog, clock });
    const again = await next.engine.openBuild({ id: "7", secrets });
    for (const [key, text] of Object.entries(texts)) await again.append({ key, ...log(text) });
    await again.close();
    return flyWatch(renderConcourseLog(await factsOf(eventLog, "7"))).printed;
  }

  function byLetter(text: string): { readonly [key: string]: string } {
    return Object.fromEntries(Array.from(text, (letter, index) => [`b/${index}`, letter]));
  }
});

test("a long text is stored in pieces of at most 64 KiB, no character cut in two", async () => {
  const { engine, eventLog } = scene();
  const build = await engine.openBuild({ id: "7" });
  const text = `${"é👍".repeat(60_000)}\n`;
  await build.append({ key: "a", ...log(text) });
  const payloads = (await factsOf(eventLog, "7")).flatMap((fact) => {
    const payload = fact.type === "BuildEventSaved" ? fact.data.data["payload"] : undefined;
    return typeof payload === "string" ? [payload] : [];
  });
  expect(payloads.length).toBeGreaterThan(5);
  expect(Math.max(...payloads.map((payload) => Buffer.byteLength(payload)))).toBeLessThanOrEqual(65_536);
  expect(payloads.join("") === text).toBe(true);
});
