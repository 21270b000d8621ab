import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { type PayloadField, readPayload } from "./payload.ts";

const read = (text: string, fields: readonly PayloadField[] = ["source", "version", "params"]) =>
  readPayload(Readable.from([Buffer.from(text)]), fields);

test("null and nothing are the same, as Go's zero values are", async () => {
  const nothing = { source: { repository: "busybox" }, version: undefined, params: {} };
  expect(await read('{"source":{"repository":"busybox"}}')).toEqual(nothing);
  expect(await read('{"source":{"repository":"busybox"},"version":null,"params":null}')).toEqual(nothing);
  const { version } = await read('{"source":{},"version":{"tag":null,"digest":"sha256:0"}}');
  expect(version).toEqual({ digest: "sha256:0" });
});

test("a payload that comes in pieces, cut inside a character, is read whole", async () => {
  const bytes = Buffer.from('{"source":{"repository":"büsybox"}}');
  const pieces = Readable.from([bytes.subarray(0, 26), bytes.subarray(26)]);
  expect((await readPayload(pieces, ["source"])).source).toEqual({ repository: "büsybox" });
});

test.each([
  ["1.10", "1.10"],
  ["42.1", "42.1"],
  ["20240101123456789012", "20240101123456789012"],
  ["-1e3", "-1e3"],
  ['"1.10"', "1.10"],
])("the tag %s is the text that was written", async (written, tag) => {
  const text = `{"source":{"repository":"a\\"tag\\":1.5","tag" : ${written},"debug":true}}`;
  expect((await read(text)).source).toEqual({ repository: 'a"tag":1.5', tag, debug: true });
});

test.each([
  ["", "it is empty", undefined],
  ["hunter2", "it is not JSON", undefined],
  ['{"source":{"password":"hunter2"}', "it is not JSON", undefined],
  ["[]", "it is a list and no object", undefined],
  ["{}", "it has no source", "source"],
  ['{"source":null}', "it has no source", "source"],
  ['{"source":"hunter2"}', "source is a string and no object", "source"],
  ['{"source":{},"Version":{}}', '"Version" is no field of it', "Version"],
  ['{"source":{},"version":"hunter2"}', "version is a string and no object", "version"],
  ['{"source":{},"version":{"digest":1}}', "version.digest is a number and no string", "version.digest"],
  ['{"source":{},"version":{"digset":"hunter2"}}', '"version.digset" is no field of it', "version.digset"],
  ['{"source":{},"params":[]}', "params is a list and no object", "params"],
])("%s is refused, saying %s, and shows no value", async (text, problem, field) => {
  const error = await read(text).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "FI_PAYLOAD_INVALID", details: field === undefined ? {} : { field } });
  expect(String(error)).toContain(`invalid payload: ${problem}`);
  expect(JSON.stringify(error)).not.toContain("hunter2");
});

test("a check takes no params", async () => {
  const error = await read('{"source":{},"params":{}}', ["source", "version"]).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "FI_PAYLOAD_INVALID", details: { field: "params" } });
});

test("what never ends is refused before it is all in memory", async () => {
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(1024 * 1024, " ");
    })(),
  );
  const error = await readPayload(endless, ["source"]).catch((thrown: unknown) => thrown);
  expect(String(error)).toContain("longer than 16 MiB");
});
