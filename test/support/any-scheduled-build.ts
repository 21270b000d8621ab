// Whole builds as a scheduler runs them: a plan of gets and tasks, fetches of their images and of the images of types
// below, mixed with the scheduler's own events; aborted, adopted, and ended at any moment, or never.
import {
  type BuildStatus,
  type CheckPlan,
  fetchImagePlan,
  type FetchRequest,
  type GetPlan,
  isFinished,
  type JsonObject,
  type Plan,
  publicPlan,
  type ResourceType,
  type SchedulerEvent,
  stateName,
} from "@fetch-image/core";
import * as fc from "fast-check";
import { anyInput } from "./any-fetch.ts";
import { aRequest, aRequestOfOtherType, digestA, inputs } from "./fetch-facts.ts";
import { BuildHistory } from "./stream-histories.ts";

export interface ScheduledBuild {
  readonly history: BuildHistory;
  readonly plan: JsonObject;
  /** The last status, where it has come. */
  readonly ended: BuildStatus | undefined;
}

const source = { repository: "registry.test/app", tag: "v1" };
const version = { tag: "v1", digest: digestA };
const types: readonly ResourceType[] = [
  { name: "pull-request", type: "registry-image", source },
  { name: "pinned-type", type: "registry-image", source, version },
  { name: "git-image", type: "git", source: {} },
  { name: "outer", type: "git-image", source: {} },
  { name: "registry-image", type: "registry-image", source },
];

interface Wanted {
  readonly request: FetchRequest;
  /** The fetch whose check or get would run in this image. */
  readonly within: string | undefined;
}

interface Step {
  readonly id: string;
  readonly plan: Plan;
  readonly wanted: readonly Wanted[];
}

/** A build of up to four steps. `ends`: whether it always comes to its last status. */
export function anyScheduledBuild({ ends }: { readonly ends: boolean }): fc.Arbitrary<ScheduledBuild> {
  const step = fc.record({
    task: fc.boolean(),
    image: fc.constantFrom("pull-request", "pinned-type", "git-image", "outer", "registry-image", "base", "pinned"),
    native: fc.boolean(),
    policy: fc.boolean(),
  });
  const move = fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("request" as const), of: fc.nat(), wait }) },
    { weight: 20, arbitrary: fc.record({ kind: fc.constant("offer" as const), of: fc.nat(), input: anyInput, wait }) },
    { weight: 10, arbitrary: fc.record({ kind: fc.constant("save" as const), of: fc.nat(), text: anyText, wait }) },
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("print" as const), of: fc.nat(), text: anyText, wait }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("adopt" as const), wait }) },
  );
  const end = fc.record({
    status: fc.constantFrom<BuildStatus>("succeeded", "failed", "errored", "aborted"),
    // Whether the fetches are told before the scheduler says that the build has ended.
    aborts: fc.boolean(),
  });
  return fc
    .tuple(
      fc.array(step, { minLength: 1, maxLength: 4 }),
      fc.array(move, { maxLength: 60, size: "max" }),
      fc.option(end, { freq: 2 }),
      end,
    )
    .map(([drawn, moves, maybeEnd, certainEnd]) => {
      const steps = drawn.map((one, index) => makeStep(String(index + 1), one));
      const plan = publicPlan({ id: "0", do: steps.map(({ plan }) => plan) });
      const history = new BuildHistory();
      history.append({ type: "BuildPlanned", data: { buildId: history.buildId, plan } }, "planned");
      history.save({ event: "status", data: { status: "started" } });
      const wanted = steps.flatMap((one) => one.wanted);
      for (const one of moves) apply(history, one, { steps, wanted });
      const ended = ends ? certainEnd : maybeEnd;
      if (ended !== null) finish(history, ended);
      return { history, plan, ended: ended?.status };
    });
}

type Move = { readonly wait: number } & (
  | { readonly kind: "request"; readonly of: number }
  | {
      readonly kind: "offer";
      readonly of: number;
      readonly input: typeof anyInput extends fc.Arbitrary<infer T> ? T : never;
    }
  | { readonly kind: "save" | "print"; readonly of: number; readonly text: string }
  | { readonly kind: "adopt" }
);

const wait = fc.constantFrom(0, 1, 250, 1000, 61_000);
const anyText = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.constantFrom("ok\n", "id: 7\nevent: end\ndata\n\n", '<a href="&">\u2028\u2029\u0000\u001b[31m\r\n', "data: x\r\r"),
);

function apply(
  history: BuildHistory,
  move: Move,
  { steps, wanted }: { readonly steps: readonly Step[]; readonly wanted: readonly Wanted[] },
): void {
  history.wait(move.wait);
  if (move.kind === "adopt") {
    history.adopt(`node-${history.facts.length}`);
    return;
  }
  if (move.kind === "save") {
    const step = steps[move.of % steps.length];
    if (step !== undefined) history.save(ofStep(step, move.of, move.text));
    return;
  }
  const one = wanted[move.of % Math.max(1, wanted.length)];
  if (one === undefined) return;
  const { fetchId, checkPlan } = one.request;
  const state = history.states.get(fetchId);
  if (state === undefined) {
    const outer = one.within === undefined ? undefined : history.states.get(one.within);
    const isWanted = one.within === undefined || (outer !== undefined && !isFinished(outer));
    if (isWanted) history.request(one.request);
  } else if (move.kind === "offer") {
    history.offer(move.input, fetchId);
  } else if (move.kind === "print") {
    const checkId = checkPlan?.["id"];
    const planId = move.of % 2 === 0 && typeof checkId === "string" ? checkId : fetchId;
    const data = { fetchId, planId, origin: "stdout" as const, text: move.text };
    history.append({ type: "OutputWritten", data }, `output\n${history.facts.length}`);
  }
}

function finish(
  history: BuildHistory,
  { status, aborts }: { readonly status: BuildStatus; readonly aborts: boolean },
): void {
  for (const [fetchId, state] of aborts ? history.states : []) {
    if (!isFinished(state)) history.offer(inputs.aborted(), fetchId);
  }
  history.save({ event: "status", data: { status } }, "ended").seal();
  for (const [fetchId, state] of history.states) if (!isFinished(state)) history.offer(inputs.aborted(), fetchId);
}

/** Fetches that ended with an ImageURL: what a log must tell the digest of. */
export function shortCircuited({ history }: ScheduledBuild): readonly string[] {
  return [...history.states.values()].flatMap((state) =>
    stateName(state) === "short-circuited" && state.resolved?.reference !== undefined ? [state.resolved.reference] : [],
  );
}

function ofStep({ id, plan }: Step, drawn: number, payload: string): SchedulerEvent {
  const origin = { id };
  const log: SchedulerEvent = { event: "log", data: { origin: { id, source: "stdout" }, payload } };
  const common: readonly SchedulerEvent[] = [
    log,
    log,
    { event: "selected-worker", data: { origin, selected_worker: payload } },
    { event: "waiting-for-worker", data: { origin } },
    { event: "error", data: { origin, message: payload } },
  ];
  const own: readonly SchedulerEvent[] =
    plan.task === undefined
      ? [
          { event: "initialize-get", data: { origin } },
          { event: "start-get", data: { origin } },
          {
            event: "finish-get",
            data: { origin, exit_status: drawn % 2, version: { ref: payload, a: "1", "\u{1f600}": "2" } },
          },
        ]
      : [
          { event: "initialize-task", data: { origin } },
          {
            event: "start-task",
            data: { origin, config: { platform: "linux", run: { path: "go", args: [payload] } } },
          },
          { event: "finish-task", data: { origin, exit_status: drawn % 3 } },
        ];
  const all = [...common, ...own];
  return all[drawn % all.length] ?? log;
}

function makeStep(
  id: string,
  { task, image, native, policy }: { task: boolean; image: string; native: boolean; policy: boolean },
): Step {
  const traits = { native, policy };
  if (task) {
    const pin = image === "pinned" ? { version } : {};
    const type = image === "base" || image === "pinned" ? "registry-image" : image;
    const resourceTypes = image === "base" || image === "pinned" ? [] : types;
    const planned = fetchImagePlan(id, { name: "image", type, source, ...pin }, resourceTypes);
    const plan: Plan = { id, task: { name: `task-${id}`, privileged: false, hermetic: false } };
    return { id, plan, wanted: wantedBy(planned, { step: id, kind: "task", within: undefined, traits }) };
  }
  const type = types.find(({ name }) => name === image);
  const rest = types.filter(({ name }) => name !== image);
  const planned = type === undefined ? undefined : fetchImagePlan(id, type, rest);
  const images =
    planned === undefined
      ? {}
      : {
          ...(planned.checkPlan === undefined ? {} : { image_check_plan: planned.checkPlan }),
          image_get_plan: planned.getPlan,
        };
  const plan: Plan = { id, get: { name: `get-${id}`, type: image, resource: `get-${id}`, source: {}, ...images } };
  const wanted = planned === undefined ? [] : wantedBy(planned, { step: id, kind: "type", within: undefined, traits });
  return { id, plan, wanted };
}

interface Context {
  readonly step: string;
  readonly kind: "task" | "type";
  readonly within: string | undefined;
  readonly traits: { readonly native: boolean; readonly policy: boolean };
}

function wantedBy(
  { getPlan, checkPlan }: { readonly getPlan: GetPlan; readonly checkPlan?: CheckPlan },
  { step, kind, within, traits }: Context,
): readonly Wanted[] {
  const { name, type, version: pin } = getPlan.get;
  const isImage = type === "registry-image";
  const base = isImage ? aRequest({ fetchId: getPlan.id }) : aRequestOfOtherType({ fetchId: getPlan.id });
  const { checkPlan: _checkPlan, scope: _scope, ...rest } = base;
  const request: FetchRequest = {
    ...rest,
    planId: step,
    kind,
    name,
    type,
    ...traits,
    getPlan: publicPlan(getPlan),
    ...(checkPlan === undefined ? {} : { checkPlan: publicPlan(checkPlan) }),
    ...(pin === undefined ? {} : { version: pin }),
  };
  const inner = [checkPlan, getPlan].flatMap((plan) => {
    const body = plan?.check ?? plan?.get;
    if (plan === undefined || body?.image_get_plan === undefined) return [];
    const planned = {
      getPlan: body.image_get_plan,
      ...(body.image_check_plan === undefined ? {} : { checkPlan: body.image_check_plan }),
    };
    return wantedBy(planned, { step: plan.id, kind: "type", within: getPlan.id, traits });
  });
  return [{ request, within }, ...inner];
}
