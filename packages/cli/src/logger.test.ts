import { expect, test } from "vitest";
import { createLogger, type LoggerOptions } from "./logger.ts";

test("text lines have time, level, message and fields; values with spaces are quoted", () => {
  expect(log({}, (logger) => logger.warn("asked again", { host: "a", why: "no answer", ms: 5 }))).toBe(
    '2026-11-22T05:00:00.000Z warn  asked again host=a why="no answer" ms=5\n',
  );
});

test("json lines are one document each", () => {
  const line = log({ format: "json" }, (logger) => logger.error("gone", { host: "a" }));
  expect(JSON.parse(line)).toEqual({ time: "2026-11-22T05:00:00.000Z", level: "error", message: "gone", host: "a" });
});

test("what is below the level is not written", () => {
  const all = (logger: ReturnType<typeof createLogger>) => {
    logger.debug("1");
    logger.info("2");
    logger.warn("3");
    logger.error("4");
  };
  expect(log({ level: "error" }, all).split("\n")).toHaveLength(2);
  expect(log({ level: "debug" }, all).split("\n")).toHaveLength(5);
});

test("secrets are cut from whatever a caller hands over, and nothing moves a cursor", () => {
  const redact = (text: string) => text.replaceAll("hunter2", "((redacted))");
  const line = log({ redact }, (logger) => logger.warn("a\u001b[2Jb\nc", { url: "https://me:hunter2@a" }));
  expect(line).not.toContain("hunter2");
  expect(line).not.toContain("\u001b");
  expect(line.trimEnd()).not.toContain("\n");
});

function log(options: Partial<LoggerOptions>, use: (logger: ReturnType<typeof createLogger>) => void): string {
  let written = "";
  use(
    createLogger({
      level: "info",
      format: "text",
      write: (line) => void (written += line),
      redact: (text) => text,
      now: () => new Date("2026-11-22T05:00:00Z"),
      ...options,
    }),
  );
  return written;
}
