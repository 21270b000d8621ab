// Builds that a real engine runs, as untidily as schedulers do: steps side by side, images of types' types, output in any
// pieces, fetches called off, the node replaced in between. Whoever followed has the bytes that are rebuilt later.
import { createHash } from "node:crypto";
import {
  type ImageSpec,
  type JsonObject,
  publicPlan,
  renderConcourseLog,
  type ResourceType,
  type StepRunner,
  fetchImagePlan,
  type Plan,
} from "@fetch-image/core";
import { type Build, createFetchImageEngine } from "@fetch-image/engine";
import { createLogSource } from "@fetch-image/inspector";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { seedFromEnv } from "../properties/seed.ts";
import { readersProblems } from "../support/concourse-readers/readable.ts";
import { factsOf } from "../support/engine.ts";
import { scriptedRegistry } from "../support/scripted-registry.ts";

const secret = "hunter-22-correct-horse";
const source = { repository: "registry.test/app", tag: "v1" };
const types: readonly ResourceType[] = [
  { name: "app", type: "registry-image", source },
  { name: "git-image", type: "git", source: {} },
  { name: "outer", type: "git-image", source: { uri: "x" } },
];

/** What a step does, one after the other, while the other steps do theirs. */
type Move =
  | { readonly kind: "print"; readonly lines: readonly string[]; readonly cuts: readonly number[] }
  | { readonly kind: "fetch"; readonly image: "task" | "app" | "outer"; readonly abortAfter: number | undefined };

const anyLine = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.constantFrom(secret, `token ${secret} ok`, "id: 7\nevent: end\ndata", "<&>\u2028", "hunter-22-"),
);
const anyMove: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("print" as const),
      lines: fc.array(anyLine, { minLength: 1, maxLength: 5 }),
      cuts: fc.array(fc.nat(), { maxLength: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("fetch" as const),
      image: fc.constantFrom("task" as const, "app" as const, "outer" as const),
      abortAfter: fc.option(fc.integer({ min: 0, max: 6 }), { freq: 3, nil: undefined }),
    }),
  },
);
const anyBuild = fc.record({
  /** On each node in turn, what each step does. */
  nodes: fc.array(fc.array(fc.array(anyMove, { maxLength: 4 }), { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 3,
  }),
  /** Whether a node lets its steps end before it goes. */
  patient: fc.boolean(),
  status: fc.constantFrom("succeeded" as const, "failed" as const, "errored" as const, "aborted" as const),
});

test("any build, followed while it runs, has one log: as it came, as it is rebuilt, and as it was sealed", async () => {
  const seen = { aborted: 0, adopted: 0, redacted: 0, printed: 0, ended: 0 };
  await fc.assert(
    fc.asyncProperty(anyBuild, async ({ nodes, patient, status }) => {
      const eventLog = createMemoryEventLog();
      const registry = scriptedRegistry();
      registry.push("registry.test/app:v1", "one");
      const logs = createLogSource({ eventLog });
      const following: Promise<string>[] = [];
      const follow = async (fromEvent: number): Promise<string> => {
        let text = "";
        const { signal } = new AbortController();
        for await (const chunk of logs.chunks("1", { fromEvent, follow: true, signal })) text += chunk.text;
        return text;
      };
      for (const [index, steps] of nodes.entries()) {
        const engine = createFetchImageEngine({
          eventLog,
          registry,
          stepRunner: printingRunner,
          nativeImageFetch: true,
          soleNode: true,
          node: `node-${index}`,
        });
        const build = await engine.openBuild({ id: "1", secrets: [secret], plan: publicPlan(planOf(nodes)) });
        await build.append({ key: "started", event: "status", data: { status: "started" } });
        following.push(follow(0));
        const working = steps.map((moves, step) => runStep(build, { step: stepId(index, step), moves }));
        if (patient || index === nodes.length - 1) await Promise.all(working);
        else await turns(index + 3);
        if (index === nodes.length - 1) await build.append({ key: "ended", event: "status", data: { status } });
        await engine.close();
        await Promise.all(working);
      }
      const facts = await factsOf(eventLog, "1");
      const rebuilt = renderConcourseLog(facts);
      for (const followed of await Promise.all(following)) expect(followed).toBe(rebuilt);
      const sealed = facts.find((fact) => fact.type === "BuildLogSealed");
      expect(createHash("sha256").update(rebuilt).digest("hex")).toBe(sealed?.data.sha256);
      expect(payloadsOf(rebuilt).replaceAll(/\s/g, "")).not.toContain(secret);
      expect(readersProblems(facts)).toEqual([]);
      logs.close();
      for (const { type } of facts) {
        if (type === "FetchAborted") seen.aborted++;
        if (type === "BuildAdopted") seen.adopted++;
        if (type === "OutputWritten") seen.printed++;
        if (type === "ArtifactFetched" || type === "ImageShortCircuited") seen.ended++;
      }
      if (rebuilt.includes("((redacted))")) seen.redacted++;
    }),
    { seed: seedFromEnv(), numRuns: 40 },
  );
  // What the generator is for did happen.
  expect(Object.values(seen).filter((times) => times === 0)).toEqual([]);
});

/** Does what its step's moves say. A node that goes, and a fetch that is called off, are nothing unusual. */
async function runStep(
  build: Build,
  { step, moves }: { readonly step: string; readonly moves: readonly Move[] },
): Promise<void> {
  for (const [index, move] of moves.entries()) {
    try {
      if (move.kind === "print") await print(build, { step, key: `${step}/${index}`, move });
      else await fetch(build, step, move);
    } catch {
      continue;
    }
  }
}

async function print(
  build: Build,
  { step, key, move }: { readonly step: string; readonly key: string; readonly move: Extract<Move, { kind: "print" }> },
): Promise<void> {
  const text = `${move.lines.join("\n")}\n`;
  const cuts = [0, ...move.cuts.map((cut) => cut % text.length).toSorted((a, b) => a - b), text.length];
  const pieces = cuts.slice(1).map((cut, index) => text.slice(cuts[index], cut));
  const origin = { id: step, source: "stdout" as const };
  await Promise.all(
    pieces
      .filter((payload) => payload !== "")
      .map((payload, index) => build.append({ key: `${key}/${index}`, event: "log", data: { origin, payload } })),
  );
}

async function fetch(
  build: Build,
  step: string,
  { image, abortAfter }: Extract<Move, { kind: "fetch" }>,
): Promise<ImageSpec | undefined> {
  const calling = new AbortController();
  const { signal } = calling;
  const wanted =
    image === "task"
      ? build.fetchTaskImage({
          stepId: step,
          imageResource: { name: "image", type: "registry-image", source },
          resourceTypes: [],
          privileged: false,
          signal,
        })
      : build.fetchImage({ ...typePlans(step, image), privileged: false, signal });
  // Whoever looks only later is not surprised by its end.
  wanted.catch(() => undefined);
  if (abortAfter !== undefined) {
    await turns(abortAfter);
    calling.abort();
  }
  return await wanted;
}

/** Runs checks and gets of git-backed images, which print a secret in pieces. */
const printingRunner: StepRunner = {
  async check(_plan, { output }) {
    for (const piece of ["cloning with hunter-22-", "correct-", "horse\n"]) await output(piece, "stderr");
    await turns(2);
    return [{ ref: "8d3f1c" }];
  },
  async get(_plan, { output, effectKey }) {
    await output(`fetching ${secret.slice(0, 9)}`, "stdout");
    await turns(1);
    await output(`${secret.slice(9)}\n`, "stdout");
    return { handle: effectKey };
  },
};

const stepId = (node: number, step: number): string => `${node + 1}${step}`;

function typePlans(step: string, image: "app" | "outer") {
  const [type, ...below] = image === "app" ? types.slice(0, 1) : types.toReversed();
  if (type === undefined) throw new Error(image);
  const { getPlan, checkPlan } = fetchImagePlan(step, type, below);
  return { getPlan, ...(checkPlan === undefined ? {} : { checkPlan }) };
}

/** A task for each step: what its images are called stands in the plan where they are of a type. */
function planOf(nodes: readonly (readonly (readonly Move[])[])[]): Plan {
  const steps = nodes.flatMap((onNode, node) => onNode.map((moves, step) => ({ id: stepId(node, step), moves })));
  return {
    id: "0",
    do: steps.map(({ id, moves }): Plan => {
      const image = moves.find((move) => move.kind === "fetch")?.image;
      if (image === undefined || image === "task")
        return { id, task: { name: id, privileged: false, hermetic: false } };
      const { getPlan, checkPlan } = typePlans(id, image);
      return {
        id,
        get: {
          name: id,
          type: image,
          source: {},
          image_get_plan: getPlan,
          ...(checkPlan === undefined ? {} : { image_check_plan: checkPlan }),
        },
      };
    }),
  };
}

/** What a reader sees printed, one text after the other. */
function payloadsOf(stream: string): string {
  const events = [...stream.matchAll(/^data: (.+)$/gm)].map(([, json = "{}"]): { data: JsonObject } =>
    JSON.parse(json),
  );
  return events.map(({ data: { payload } }) => (typeof payload === "string" ? payload : "")).join("");
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
