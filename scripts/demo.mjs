// `npm start`, once everything is built: the main job on examples/, offline, twice the same when it is run twice.
//   npm start                            examples/ci.yml
//   npm start -- examples/pinned.yml     another pipeline
//   npm start -- --runtime artifact      options go to `fetch-image run`
//   npm start -- --no-serve              ends without serving the inspector
// It starts a registry of its own, runs a job against it, lets another process rebuild the build log from the facts, and
// serves the inspector until it is interrupted.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { login, startDemoRegistry } from "./lib/demo-registry.mjs";
import { root } from "./lib/process.mjs";

const bin = join("packages", "cli", "dist", "bin.js");
const given = process.argv.slice(2).filter((argument) => argument !== "--no-serve");
const serves = !process.argv.includes("--no-serve");
const [first = ""] = given;
const pipeline = /^[^-].*\.ya?ml$/.test(first)
  ? first
  : given.find((argument) => /\.ya?ml$/.test(argument) && existsSync(resolve(root, argument)));
const options = given.filter((argument) => argument !== pipeline);
const json = options.includes("--json");
const file = pipeline ?? join("examples", "ci.yml");
const data = resolve(root, valueOf("--data") ?? process.env["FETCH_IMAGE_DATA"] ?? ".fetch-image");
const stores = ["--data", "--database-url"].flatMap((flag) =>
  valueOf(flag) === undefined ? [] : [flag, valueOf(flag)],
);
const portFile = join(data, "demo-registry.json");
const color = process.env["FORCE_COLOR"]
  ? process.env["FORCE_COLOR"] !== "0"
  : process.stdout.isTTY && !process.env["NO_COLOR"];
const say = (text) => (json ? process.stderr : process.stdout).write(`${text}\n`);
const strong = (text) => (color && !json ? `\u001b[1m${text}\u001b[0m` : text);

let child;
// A terminal sends the interrupt to the command itself; where there is none, it is passed on.
process.on("SIGINT", () => process.stdin.isTTY || child?.kill("SIGINT"));
process.on("SIGTERM", () => child?.kill("SIGTERM"));

const remembered = rememberedPort();
const { registry, port, pinnedDigest } = await startDemoRegistry(remembered);
say(`${strong("A registry of our own")} on ${registry.host}: five images made on the spot, one of them private.`);
if (remembered !== undefined && port !== remembered) {
  say(`Port ${remembered} of the run before is taken, so the references differ, and nothing is still fresh.`);
}

const vars = { registry: registry.host, pinned_digest: pinnedDigest, ...login };
const varFlags = Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}=${value}`]);
say(`\n${strong(`$ fetch-image run ${[file, ...options].join(" ")}`)}\n`);
const scratch = mkdtempSync(join(tmpdir(), "fetch-image-demo-"));
const idFile = join(scratch, "build");
const code = await fetchImage(["run", file, ...varFlags, "--id-file", idFile, ...options]);
const build = existsSync(idFile) ? readFileSync(idFile, "utf8").trim() : undefined;
rmSync(scratch, { recursive: true });
process.exitCode = code;
if (existsSync(data)) writeFileSync(portFile, `${JSON.stringify({ port })}\n`);
if (code < 2 && build !== undefined) {
  say(`\n${strong(`$ fetch-image log ${build}`)}   in another process, from the stored facts alone\n`);
  process.exitCode = Math.max(code, await fetchImage(["log", build, ...stores, ...(json ? ["--json"] : [])]));
}
if (code < 2) say(closing(build));
if (code < 2 && serves) await serveInspector(build);
await registry.close();

/** What the registry itself saw, and where to go from here. */
function closing(build) {
  const { manifestHead, manifestGet, blob, tags, token } = registry.counts;
  const asked = manifestHead + manifestGet + blob + tags + token;
  const counted = [
    manifestHead === 0 ? "none to learn a digest" : `${manifestHead} to learn a digest (HEAD)`,
    ...(tags === 0 ? [] : [`${tags} to list tags`]),
    ...(token === 0 ? [] : [`${token} to log in`]),
    ...(manifestGet + blob === 0 ? [] : [`${manifestGet + blob} for the bytes that a task's \`image:\` needs (GET)`]),
  ];
  const where = stores.map((argument) => ` ${argument}`).join("");
  const again = [
    ["npm start", "again: what is still fresh is not asked for a second time"],
    ...(build === undefined
      ? []
      : [
          [`node ${bin} why ${build}${where}`, "the plans of the build; add one to see why its digest was chosen"],
          [`node ${bin} replay ${build}${where}`, "every fact, the state after it, and what it caused"],
          [`node ${bin} versions ${registry.host}/acme/golang${where}`, "what a tag resolved to, over time"],
        ]),
    ["npm start -- examples/pinned.yml", "another pipeline; examples/README.md has the list"],
  ];
  const width = Math.max(...again.map(([command]) => command.length));
  return [
    `\n${strong("What the registry counted")}`,
    asked === 0
      ? "  not one request: all that was needed was pinned, in a table, or still fresh"
      : `  ${asked} request${asked === 1 ? "" : "s"}: ${counted.join(", ")}`,
    `\n${strong("Try next")}`,
    ...again.map(([command, does]) => `  ${command.padEnd(width)}  ${does}`),
  ].join("\n");
}

/** Serves what is stored until it is interrupted. */
async function serveInspector(build) {
  const port = await freePort(8080);
  const address = `http://127.0.0.1:${port}/${build === undefined ? "" : `?build=${build}`}`;
  say(`\n${strong("The inspector")}   Ctrl-C ends it\n  ${address}\n`);
  await fetchImage(["serve", "--port", String(port), ...stores]);
}

/** The port where it is free, else any that is. */
function freePort(wanted) {
  return new Promise((done, reject) => {
    const probe = createServer();
    probe.on("error", () => (wanted === 0 ? reject(new Error("no port is free")) : done(freePort(0))));
    probe.listen(wanted, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (probe.address());
      probe.close(() => done(port));
    });
  });
}

/** Runs the command on this process's own terminal; resolves with its exit status. */
function fetchImage(args) {
  return new Promise((done, reject) => {
    child = spawn(process.execPath, [...process.execArgv, bin, ...args], { cwd: root, stdio: "inherit" });
    child.on("error", reject);
    child.on("close", (code) => done(code ?? 130));
  });
}

function valueOf(flag) {
  const at = given.findIndex((argument) => argument === flag || argument.startsWith(`${flag}=`));
  if (at === -1) return undefined;
  return given[at].includes("=") ? given[at].slice(flag.length + 1) : given[at + 1];
}

function rememberedPort() {
  try {
    const { port } = JSON.parse(readFileSync(portFile, "utf8"));
    return Number.isInteger(port) && port > 1023 && port < 32768 ? port : undefined;
  } catch {
    return undefined;
  }
}
