import { expect, test } from "vitest";
import { commandLine } from "./command-line.ts";

test("a link called check or in is that command; any other name is this program's", () => {
  expect(commandLine(["node", "/opt/resource/check", "extra"])).toEqual(["check", "extra"]);
  expect(commandLine(["node", "/opt/resource/in", "/tmp/build/get"])).toEqual(["in", "/tmp/build/get"]);
  expect(commandLine(["node", "/usr/bin/fetch-image", "ref", "busybox"])).toEqual(["ref", "busybox"]);
  expect(commandLine(["node", "/src/fetch-image/packages/cli/dist/bin.js"])).toEqual([]);
});
