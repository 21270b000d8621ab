import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { hasEnded, livenessOf, tagOf, thisProcess } from "./identity.ts";

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
  expect(hasEnded({ ...tagOf(here), pid: Number(pid) })).toBe(true);
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

test("a tag names what the identity names, as file names on disk have had it", () => {
  const known = { pid: 12, started: "345", host: "node-1", boot: "b8c9", pidNamespace: "pid:[4026531836]" };
  expect(tagOf(known)).toEqual({ machine: "309d29cd45e8", pid: 12, started: 345 });
  expect(tagOf({ ...known, started: "Mon Jan  5 12:00:00 2026" }).started).toBe(0);
  expect(hasEnded(tagOf(here))).toBe(false);
  expect(hasEnded({ ...tagOf(here), started: 1 })).toBe(true);
  expect(hasEnded({ ...tagOf(here), started: 0 })).toBe(false);
  expect(hasEnded({ ...tagOf(here), machine: "000000000000", pid: 2 ** 30 })).toBe(false);
});
