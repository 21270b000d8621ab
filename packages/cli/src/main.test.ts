import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { main } from "./main.ts";
import type { Terminal } from "./terminal.ts";

const commands = [
  "run",
  "plan",
  "ref",
  "check",
  "in",
  "log",
  "why",
  "replay",
  "versions",
  "doctor",
  "config",
  "rebuild",
];

test("help is there on every level, on standard output", async () => {
  const all = await run(["--help"]);
  expect(all).toMatchObject({ status: 0, err: "" });
  for (const command of commands) {
    expect(all.out).toMatch(new RegExp(`^  ${command}\\b`, "m"));
    const { status, out, err } = await run([command, "--help"]);
    expect({ status, err }).toEqual({ status: 0, err: "" });
    expect(out).toContain(`fetch-image ${command}`);
    expect(out).toContain("--json");
    expect((await run(["help", command])).out).toBe(out);
    expect((await run([command, "-h"])).out).toBe(out);
  }
  expect(await run(["-h"])).toEqual(all);
});

test("every example of the help is a command line that is understood", async () => {
  for (const command of commands) {
    const { out } = await run([command, "--help"]);
    const examples = out.slice(out.indexOf("\nExamples\n")).matchAll(/^ {2}fetch-image ([^|\n]*)/gm);
    const lines = [...examples].map(([, line = ""]) => line.trim().split(" "));
    expect({ command, examples: lines.length }).not.toEqual({ command, examples: 0 });
    for (const args of lines) expect({ args, ...(await run([...args, "--help"])) }).toMatchObject({ args, status: 0 });
  }
});

test.each([
  { args: [], says: "Usage" },
  { args: ["rn"], says: "Did you mean `fetch-image run`?" },
  { args: ["out"], says: '"out" is no command of fetch-image' },
  { args: ["artifacts", "purge"], says: '"purge" is nothing that artifacts can do' },
  { args: ["artifacts", "prune"], says: "prune is not told what to keep" },
  { args: ["artifacts", "--keep", "7d"], says: "--keep and --dry-run are for prune" },
  { args: ["in"], says: "DEST is missing" },
  { args: ["check"], says: "invalid payload: it is empty" },
  { args: ["help", "rn"], says: "Did you mean `fetch-image run`?" },
  { args: ["--config", "x", "ref", "busybox"], says: "--config stands before the command" },
  { args: ["ref"], says: "REFERENCE is missing" },
  { args: ["ref", "a", "b"], says: '"b" is one argument too many' },
  { args: ["ref", "a", "--jsno"], says: "Did you mean --json?" },
  { args: ["ref", "a", "-j"], says: '"-j" is no option of fetch-image ref' },
  { args: ["ref", "a", "--no-json"], says: '"--no-json" is no option of fetch-image ref' },
  { args: ["run", "ci.yml", "--manual=yes"], says: "--manual takes no value" },
  { args: ["plan", "ci.yml", "--job"], says: "Write --job JOB." },
  { args: ["plan", "ci.yml", "--job", "--public"], says: "--job=--public if you mean it" },
  { args: ["run", "ci.yml", "--input", "repo"], says: "--input repo=." },
  { args: ["run", "ci.yml", "--build", "../1"], says: '--build "../1" is no id for a build' },
  { args: ["run", "nowhere.yml"], says: "nowhere.yml: there is no such file" },
  { args: ["versions", `busybox@sha256:${"0".repeat(64)}`], says: "names a digest, which has no history" },
  { args: ["ref", "UPPER"], says: "lower case" },
])("$args is refused with status 2, saying $says", async ({ args, says }) => {
  const { status, out, err } = await run(args);
  expect({ status, out }).toEqual({ status: 2, out: "" });
  expect(err).toContain(says);
});

test("behind -- everything is an argument, however it looks", async () => {
  const { status, err } = await run(["ref", "--", "--json"]);
  expect(status).toBe(2);
  expect(err).toContain('"--json" is not an image reference');
});

test("with --json an error is one JSON document on standard output", async () => {
  for (const args of [
    ["ref", "UPPER", "--json"],
    ["nonsense", "--json"],
    ["ref", "--json"],
    ["ref", "a", "--jso", "--json"],
  ]) {
    const { status, out, err } = await run(args);
    expect({ status, err }).toEqual({ status: 2, err: "" });
    expect(JSON.parse(out)).toMatchObject({ code: expect.stringMatching(/^FI_/), hint: expect.any(String) });
  }
});

test("what is no error of ours is told as a defect, with status 1", async () => {
  const { terminal, written } = memoryTerminal();
  const status = await main(["ref", "busybox"], { ...host, terminal: { ...terminal, out: () => throwing() } });
  expect(status).toBe(1);
  expect(written.err).toContain("FI_INTERNAL: Error: the disk has gone");
});

const host = { env: {}, cwd: "/", stdin: () => Readable.from([]), signal: new AbortController().signal };

async function run(args: readonly string[]) {
  const { terminal, written } = memoryTerminal();
  const status = await main(args, { ...host, terminal });
  return { status, out: written.out, err: written.err };
}

function memoryTerminal() {
  const written = { out: "", err: "" };
  const terminal: Terminal = {
    out: (text) => void (written.out += text),
    err: (text) => void (written.err += text),
    progress: () => undefined,
    progressSize: () => undefined,
    outColor: false,
    errColor: false,
    outColumns: undefined,
    flushed: () => Promise.resolve(),
  };
  return { terminal, written };
}

function throwing(): never {
  throw new Error("the disk has gone");
}
