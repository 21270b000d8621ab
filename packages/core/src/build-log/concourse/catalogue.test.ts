import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../json.ts";
import { concourseEvents, readEvent, timedData } from "./catalogue.ts";
import { goJson } from "./go-json.ts";

const origin = { id: "68e77802" };

describe("an event of the scheduler's", () => {
  test.each<[event: string, data: JsonObject, stored: string]>([
    ["status", { status: "started" }, '{"status":"started"}'],
    [
      "log",
      { payload: "ok\n", origin: { source: "stdout", id: "1" } },
      '{"origin":{"id":"1","source":"stdout"},"payload":"ok\\n"}',
    ],
    ["finish-get", { origin, exit_status: 1 }, '{"origin":{"id":"68e77802"},"exit_status":1,"version":null}'],
    [
      "finish-put",
      { origin, exit_status: 0, version: { tag: "v1", digest: "d" }, metadata: [{ value: "b", name: "a" }] },
      '{"origin":{"id":"68e77802"},"exit_status":0,"version":{"digest":"d","tag":"v1"},"metadata":[{"name":"a","value":"b"}]}',
    ],
    [
      "initialize-task",
      { origin },
      '{"origin":{"id":"68e77802"},"config":{"platform":"","image":"","run":{"path":"","args":null,"dir":""},"inputs":null}}',
    ],
    [
      "start-task",
      { origin, config: { inputs: [{ name: "pr" }], run: { args: ["test", "./..."], path: "go" } } },
      '{"origin":{"id":"68e77802"},"config":{"platform":"","image":"","run":{"path":"go","args":["test","./..."],"dir":""},"inputs":[{"name":"pr","path":""}]}}',
    ],
    [
      "image-get",
      {
        origin,
        plan: { get: { type: "registry-image", name: "image", source: { password: "secret" } }, id: "1/image-get" },
      },
      '{"origin":{"id":"68e77802"},"plan":{"id":"1/image-get","get":{"name":"image","type":"registry-image"}}}',
    ],
    ["error", { origin, message: "half a \ud83d pair" }, '{"message":"half a \ufffd pair","origin":{"id":"68e77802"}}'],
  ])("%s is stored with its fields in Concourse's order, and what is secret left out", (event, data, stored) => {
    const read = readEvent(event, data);
    expect(read).toMatchObject({ ok: true, event });
    expect(read.ok && goJson(read.data)).toBe(stored);
  });

  test.each<[event: string, data: JsonObject, problem: string]>([
    ["image-resolved", { origin }, 'Concourse\'s clients know no event "image-resolved": status, log, '],
    ["toString", {}, 'Concourse\'s clients know no event "toString"'],
    ["status", { status: "pending" }, "status.status must be started, succeeded, failed, errored or aborted"],
    ["status", { status: "started", time: 1 }, "status.time is not for the caller: the build's writer sets it"],
    ["log", { origin, payload: 7 }, "log.payload must be a text"],
    ["log", { payload: "" }, "log.origin must be an object with a plan's id"],
    [
      "log",
      { origin: { id: "1", source: "stdin" }, payload: "" },
      "log.origin must have stdout or stderr for a source",
    ],
    ["finish-task", { origin, exit_status: 0.5 }, "finish-task.exit_status must be a whole number"],
    ["finish", { origin }, "finish.succeeded must be true or false"],
    ["start-task", { origin, config: { run: { args: "x" } } }, "start-task.config must have a list for run.args"],
    ["image-check", { origin, plan: {} }, "image-check.plan must be a plan with an id"],
    ["start", { origin, extra: 1 }, 'start has no field "extra"'],
  ])("%s that is none is refused, with the field", (event, data, problem) => {
    const read = readEvent(event, data);
    expect(read.ok ? "" : read.problem).toContain(problem);
  });
});

test("every event but set-pipeline-changed has its time, in whole seconds", () => {
  const data = {
    status: "started",
    origin,
    payload: "",
    message: "",
    succeeded: true,
    name: "",
    exit_status: 0,
    selected_worker: "",
    volume: "",
    source_worker: "",
    dest_worker: "",
    changed: true,
    substeps: [],
    plan: { id: "1" },
  };
  const names = Object.keys(concourseEvents) as (keyof typeof concourseEvents)[];
  const timeless = names.filter((event) => {
    const timed = timedData(event, data, 1_760_000_100);
    return typeof timed === "string" || timed["time"] !== 1_760_000_100;
  });
  expect(timeless).toEqual(["set-pipeline-changed"]);
});
