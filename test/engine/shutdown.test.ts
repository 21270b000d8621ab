import { FetchImageError, type StepRunner } from "@fetch-image/core";
import { createFetchImageEngine } from "@fetch-image/engine";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { describe, expect, test } from "vitest";
import { factsOf, factTypesOf, scene, typePlans } from "../support/engine.ts";

const repository = "registry.example.com/acme/git-resource";
const plan = (step: string, tag = "v1.2") => ({ ...typePlans(step, { repository, tag }), privileged: false });

describe("an engine that is told to close", () => {
  test("lets what is in flight end within the deadline, and takes nothing new", async () => {
    const { engine, eventLog, registry, clock } = scene();
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await engine.openBuild({ id: "1" });
    const running = build.fetchImage(plan("s"));
    await clock.settle();
    const closing = engine.close({ deadlineMs: 10_000 });
    await expect(build.fetchImage(plan("t"))).rejects.toMatchObject({ code: "FI_ENGINE_CLOSED", retryable: true });
    await expect(engine.openBuild({ id: "2" })).rejects.toMatchObject({ code: "FI_ENGINE_CLOSED", retryable: true });
    const joined = build.fetchImage(plan("s"));
    registry.release();
    expect(await closing).toEqual({ finished: 1, left: [] });
    expect(await running).toEqual(await joined);
    expect((await factTypesOf(eventLog, "1")).at(-1)).toBe("ImageShortCircuited");
  });

  test("leaves the rest without a fact once the deadline has passed, says what, and the next one ends it", async () => {
    const { engine, eventLog, registry, clock } = scene({ node: "a" });
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await engine.openBuild({ id: "1" });
    const left = build.fetchImage(plan("s"));
    left.catch(() => {});
    await clock.settle();
    const before = await factTypesOf(eventLog, "1");
    const closing = engine.close({ deadlineMs: 10_000 });
    await clock.advance(10_000);
    expect(await closing).toEqual({
      finished: 0,
      left: [{ buildId: "1", fetchId: "s/image-get", state: "checking" }],
    });
    await expect(left).rejects.toMatchObject({ code: "FI_ENGINE_CLOSED", retryable: true });
    expect(await factTypesOf(eventLog, "1")).toEqual(before);

    registry.release();
    const next = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, soleNode: true });
    const again = await next.openBuild({ id: "1" });
    await expect(again.fetchImage(plan("s"))).resolves.toMatchObject({ privileged: false });
    expect(await next.close({ deadlineMs: 1000 })).toEqual({ finished: 0, left: [] });
  });

  test("does not wait any longer once it is told a second time without a deadline", async () => {
    const { engine, registry, clock } = scene();
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await engine.openBuild({ id: "1" });
    build.fetchImage(plan("s")).catch(() => {});
    await clock.settle();
    const patient = engine.close({ deadlineMs: 3_600_000 });
    const hasty = engine.close();
    expect(await hasty).toMatchObject({ finished: 0, left: [{ fetchId: "s/image-get" }] });
    expect(await patient).toEqual(await hasty);
  });

  test("stores what a step wrote before it was called off, half a line too, and nothing of what it writes after", async () => {
    const stepRunner: StepRunner = {
      check: async () => [],
      get: (_plan, { output, signal }) =>
        new Promise((_resolve, reject) => {
          void output("one line\nand half a", "stdout");
          signal.addEventListener("abort", () => {
            void output("too late\n", "stdout");
            reject(new Error("called off"));
          });
        }),
    };
    const { engine, eventLog, clock } = scene({ stepRunner, nativeImageFetch: false });
    const build = await engine.openBuild({ id: "1" });
    const getPlan = { id: "s/image-get", get: { name: "mine", type: "mine", source: {}, version: { ref: "1" } } };
    build.fetchImage({ getPlan, privileged: false }).catch(() => {});
    await clock.settle();
    await engine.close();
    const facts = await factsOf(eventLog, "1");
    const output = facts.flatMap((fact) => (fact.type === "OutputWritten" ? [fact.data.text] : []));
    expect(output).toEqual(["one line\nand half a"]);
    expect(facts.at(-1)?.type).toBe("OutputWritten");
  });
});

describe("a node that has lost its build", () => {
  test("calls off everything that was under way there, and drops what comes of it late", async () => {
    const running = new Map<string, { readonly finish: (handle: string) => void; aborted: boolean }>();
    const runner = (node: string): StepRunner => ({
      check: async () => [],
      get: ({ id }, { signal }) =>
        new Promise((resolve) => {
          const step = { finish: (handle: string) => resolve({ handle }), aborted: false };
          running.set(`${node} ${id}`, step);
          signal.addEventListener("abort", () => (step.aborted = true));
        }),
    });
    const getPlan = (step: string) => ({
      id: `${step}/image-get`,
      get: { name: "mine", type: "mine", source: {}, version: { ref: "1" } },
    });
    const { engine, eventLog, clock } = scene({ node: "a", soleNode: false, stepRunner: runner("a") });
    const build = await engine.openBuild({ id: "1" });
    const lost = ["s", "t"].map((step) => build.fetchImage({ getPlan: getPlan(step), privileged: false }));
    for (const each of lost) each.catch(() => {});
    await clock.settle();
    expect([...running.keys()]).toEqual(["a s/image-get", "a t/image-get"]);

    const traits = { nativeImageFetch: true, node: "b", stepRunner: runner("b") };
    const next = createFetchImageEngine({ eventLog, clock, ...traits });
    const adopted = await next.openBuild({ id: "1" });
    const rest = ["s", "t"].map((step) => adopted.fetchImage({ getPlan: getPlan(step), privileged: false }));
    await clock.settle();
    const before = await factTypesOf(eventLog, "1");

    // The first answer is refused by the store, which is how the old node hears of it; the other step is called off.
    running.get("a s/image-get")?.finish("from a");
    await clock.settle();
    for (const each of lost) await expect(each).rejects.toMatchObject({ code: "FI_BUILD_ADOPTED" });
    expect(running.get("a t/image-get")?.aborted).toBe(true);
    running.get("a t/image-get")?.finish("from a");
    await clock.settle();
    expect(await factTypesOf(eventLog, "1")).toEqual(before);

    for (const step of ["s", "t"]) running.get(`b ${step}/image-get`)?.finish("from b");
    expect((await Promise.all(rest)).map(({ imageArtifact }) => imageArtifact?.handle)).toEqual(["from b", "from b"]);
    const facts = await factsOf(eventLog, "1");
    const terminal = facts.filter(({ type }) => /^(ArtifactFetched|FetchFailed|FetchAborted|ImageShort)/.test(type));
    expect(terminal.map(({ metadata }) => metadata.node)).toEqual(["b", "b"]);
    await next.close();
  });

  test("refuses new fetches of it at once, and asks no registry for them", async () => {
    const { engine, eventLog, registry, clock } = scene({ node: "a" });
    registry.push(`${repository}:v1.2`, "one");
    registry.push(`${repository}:v2`, "two");
    const build = await engine.openBuild({ id: "1" });
    await build.fetchImage(plan("s"));
    registry.hold();
    build.fetchImage(plan("t", "v2")).catch(() => {});
    await clock.settle();
    const next = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
    await next.openBuild({ id: "1" });
    registry.release();
    await clock.settle();
    const asked = registry.questions.length;
    await expect(build.fetchImage(plan("u", "v3"))).rejects.toMatchObject({ code: "FI_BUILD_ADOPTED" });
    expect(registry.questions).toHaveLength(asked);
    // What ended here before is an answer still.
    await expect(build.fetchImage(plan("s"))).resolves.toMatchObject({ privileged: false });
    await next.close();
  });

  test("stops everything where the store is away for longer than its patience, and may open the build anew", async () => {
    const memory = createMemoryEventLog();
    let away = false;
    const eventLog = {
      ...methodsOf(memory),
      append: async (...args: Parameters<typeof memory.append>) => {
        if (away) throw new FetchImageError("FI_STORE_UNAVAILABLE");
        return await memory.append(...args);
      },
    };
    const { engine, registry, clock } = scene({ eventLog });
    registry.push(`${repository}:v1.2`, "one");
    const build = await engine.openBuild({ id: "1" });
    await build.fetchImage(plan("s"));
    away = true;
    const failing = build.fetchImage(plan("t"));
    failing.catch(() => {});
    await clock.advance(60_000);
    await expect(failing).rejects.toMatchObject({ code: "FI_STORE_UNAVAILABLE", retryable: true });
    away = false;
    const again = await engine.openBuild({ id: "1" });
    await expect(again.fetchImage(plan("t"))).resolves.toMatchObject({ privileged: false });
  });
});

function methodsOf(log: ReturnType<typeof createMemoryEventLog>) {
  return {
    read: log.read.bind(log),
    readAll: log.readAll.bind(log),
    subscribe: log.subscribe.bind(log),
    close: log.close.bind(log),
  };
}
