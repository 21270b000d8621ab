import { readSse } from "./read-sse.ts";

/** A step, or a sub-step of an image, as the build's page shows it. */
interface ShownStep {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  state: "pending" | "running" | "succeeded" | "failed" | "errored" | "cancelled" | "interrupted";
  log: string;
  version: unknown;
  imageCheck: string | undefined;
  imageGet: string | undefined;
}

export interface Page {
  readonly steps: ReadonlyMap<string, ShownStep>;
  /** Events of steps that the page did not know when they came: `log 1/image-check`. */
  readonly orphans: readonly string[];
  /** Batches of events that were thrown away, and why. */
  readonly dropped: readonly { readonly events: number; readonly why: string }[];
  /** Plans that were announced more than once: their sub-steps lost their logs. */
  readonly wiped: readonly string[];
}

/** What stands in a stream may be anything. */
type Foreign = ReturnType<typeof JSON.parse>;

interface Message {
  readonly event: string;
  readonly data: Foreign;
}

/** So many events are decoded together; one that cannot be throws away the batch. */
const batchSize = 1001;

/**
 * Reads a build's plan and stream as Concourse's web page does (web/elm: Build.Output, BuildEvents, StepTree).
 * `plan` is the body of `GET /api/v1/builds/:id/plan`.
 */
export function webPage(plan: string | undefined, text: string): Page {
  const steps = new Map<string, ShownStep>();
  const orphans: string[] = [];
  const dropped: { events: number; why: string }[] = [];
  const wiped: string[] = [];
  if (plan !== undefined) addSteps(steps, readPlan(JSON.parse(plan).plan));
  const frames = readSse(text);
  for (let from = 0; from < frames.length; from += batchSize) {
    const batch = frames.slice(from, from + batchSize).filter(({ name }) => name !== "end");
    try {
      const messages = batch.map(({ data }) => JSON.parse(data) as Message);
      for (const message of messages) check(message);
      for (const message of messages) show(steps, message, { orphans, wiped });
    } catch (error) {
      dropped.push({ events: batch.length, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { steps, orphans, dropped, wiped };
}

interface PlanNode {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly within: readonly PlanNode[];
  /** Both, or the page shows neither. */
  readonly image: { readonly check: PlanNode; readonly get: PlanNode } | undefined;
}

const leaves = ["task", "check", "get", "put", "set_pipeline", "load_var", "run"];
const hooks = ["on_success", "on_failure", "on_abort", "on_error", "ensure"];

function readPlan(plan: Foreign): PlanNode {
  const id = text(plan?.id, "plan.id");
  const leaf = leaves.find((kind) => plan[kind] !== undefined);
  if (leaf !== undefined) {
    const body = plan[leaf];
    const isResource = leaf === "check" || leaf === "get" || leaf === "put";
    const image = isResource
      ? maybe(() => ({ check: readPlan(body.image_check_plan), get: readPlan(body.image_get_plan) }))
      : undefined;
    return { id, kind: leaf, name: text(body.name, "name"), within: [], image };
  }
  const of = (kind: string, within: readonly Foreign[]): PlanNode => ({
    id,
    kind,
    name: "",
    within: within.map(readPlan),
    image: undefined,
  });
  if (plan.do !== undefined) return of("do", plan.do);
  if (plan.retry !== undefined) return of("retry", plan.retry);
  if (plan.in_parallel !== undefined) return of("in_parallel", plan.in_parallel.steps);
  if (plan.across !== undefined) return of("across", []);
  if (plan.try !== undefined) return of("try", [plan.try.step]);
  if (plan.timeout !== undefined) return of("timeout", [plan.timeout.step]);
  const hook = hooks.find((kind) => plan[kind] !== undefined);
  if (hook === undefined) throw new Error("a plan of no kind");
  return of(hook, [plan[hook].step, plan[hook][hook]]);
}

function addSteps(steps: Map<string, ShownStep>, node: PlanNode): void {
  const { id, kind, name, within, image } = node;
  steps.set(id, {
    id,
    kind,
    name,
    state: "pending",
    log: "",
    version: null,
    imageCheck: image?.check.id,
    imageGet: image?.get.id,
  });
  for (const inner of [...within, ...(image === undefined ? [] : [image.check, image.get])]) addSteps(steps, inner);
}

/** What each event's decoder wants; throws where it is not there. Times that Go may leave out are wanted here. */
function check({ event, data }: Message): void {
  const origin = () => text(data.origin?.id, `${event}.origin.id`);
  switch (event) {
    case "status":
      text(data.status, "status");
      whole(data.time, "status.time");
      return;
    case "log":
      origin();
      text(data.payload, "log.payload");
      return;
    case "selected-worker":
      origin();
      text(data.selected_worker, "selected_worker");
      return;
    case "error":
      origin();
      text(data.message, "error.message");
      whole(data.time, "error.time");
      return;
    case "initialize-check":
      text(data.name, "initialize-check.name");
      break;
    case "finish-task":
      whole(data.exit_status, "finish-task.exit_status");
      break;
    case "finish-get":
    case "finish-put":
      origin();
      whole(data.exit_status, `${event}.exit_status`);
      return;
    case "finish":
      if (typeof data.succeeded !== "boolean") throw new Error("finish.succeeded is no BOOL");
      break;
    case "image-check":
    case "image-get":
      origin();
      readPlan(data.plan);
      return;
    case "set-pipeline-changed":
    case "waiting-for-worker":
    case "streaming-volume":
    case "waiting-for-streamed-volume":
    case "across-substeps":
      origin();
      return;
    case "initialize":
    case "start":
    case "initialize-task":
    case "start-task":
    case "initialize-get":
    case "start-get":
    case "initialize-put":
    case "start-put":
      break;
    default:
      throw new Error(`unknown event type: ${event}`);
  }
  origin();
  whole(data.time, `${event}.time`);
}

function show(
  steps: Map<string, ShownStep>,
  { event, data }: Message,
  { orphans, wiped }: { readonly orphans: string[]; readonly wiped: string[] },
): void {
  if (event === "status") {
    if (data.status !== "started" && data.status !== "pending") endAll(steps);
    return;
  }
  const step = steps.get(data.origin.id);
  if (event === "image-check" || event === "image-get") {
    if (steps.has(data.plan.id)) wiped.push(data.plan.id);
    addSteps(steps, readPlan(data.plan));
    if (step !== undefined && event === "image-check") step.imageCheck = data.plan.id;
    if (step !== undefined && event === "image-get") step.imageGet = data.plan.id;
    return;
  }
  if (step === undefined) {
    orphans.push(`${event} ${data.origin.id}`);
    return;
  }
  switch (event) {
    case "log":
      step.log += data.payload;
      step.state = "running";
      break;
    case "error":
      step.log += `${data.message}\n`;
      step.state = "errored";
      break;
    case "finish":
      step.state = data.succeeded ? "succeeded" : "failed";
      break;
    case "finish-get":
    case "finish-put":
      step.version = data.version;
      step.state = data.exit_status === 0 ? "succeeded" : "failed";
      break;
    case "finish-task":
      step.state = data.exit_status === 0 ? "succeeded" : "failed";
      break;
    default:
      step.state = "running";
  }
}

function endAll(steps: ReadonlyMap<string, ShownStep>): void {
  for (const step of steps.values()) {
    if (step.state === "running") step.state = "interrupted";
    else if (step.state === "pending") step.state = "cancelled";
  }
}

function text(value: unknown, what: string): string {
  if (typeof value !== "string") throw new Error(`${what} is no STRING`);
  return value;
}

function whole(value: unknown, what: string): void {
  if (!Number.isInteger(value)) throw new Error(`${what} is no INT`);
}

function maybe<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
