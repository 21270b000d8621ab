import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { livenessOf, thisProcess } from "./process-identity.ts";

const here = thisProcess();

test("this process is alive", () => {
  expect(here.pid).toBe(process.pid);
  expect(here.started).not.toBe("");
  expect(livenessOf(here)).toBe("alive");
  expect(livenessOf(JSON.parse(JSON.stringify(here)))).toBe("alive");
});

test("a process that ended is dead, also before anybody has asked how it ended", async () => {
  // Its parent never waits for the child, so that a zombie stays.
  const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
  const [pid] = await once(parent.stdout, "data");
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(livenessOf({ ...here, pid: Number(pid) })).toBe("dead");
  parent.kill("SIGKILL");
  await once(parent, "exit");
  expect(livenessOf({ ...here, pid: parent.pid ?? 0 })).toBe("dead");
});

test("another process that got the same pid is told apart by when it started", () => {
  expect(livenessOf({ ...here, started: "1" })).toBe("dead");
});

test("whatever ran before the machine was started again is dead", () => {
  expect(livenessOf({ ...here, boot: "another" })).toBe("dead");
});

test("what runs on another machine, or in another container, cannot be seen", () => {
  expect(livenessOf({ ...here, boot: "another", host: "elsewhere" })).toBe("unknown");
  expect(livenessOf({ ...here, pidNamespace: "pid:[1]" })).toBe("unknown");
});
