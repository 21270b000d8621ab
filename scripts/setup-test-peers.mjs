#!/usr/bin/env node
// Gets the servers that the tests talk to and the programs they compare with: what is missing is installed with apt-get
// where that is possible (Debian, as root), and named otherwise; tests that need it then skip themselves. Starts no
// daemon and stops none. Prints what there is as one line of JSON on standard output, words on standard error, and always
// exits 0: a missing peer is a counted skip, not a failure. `--check` installs nothing. `lookForPeers` is what tests and
// scripts may import.
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { lastLines, run } from "./lib/process.mjs";

/** Each peer: its Debian package, and where its program stands when it is there. */
const peers = {
  "docker-registry": { package: "docker-registry", find: () => onPath("docker-registry") },
  postgresql: { package: "postgresql", find: () => debianPostgres() ?? onPath("postgres") },
  pgbouncer: { package: "pgbouncer", find: () => onPath("pgbouncer") },
  htpasswd: { package: "apache2-utils", find: () => onPath("htpasswd") },
  containerd: { package: "containerd", find: () => onPath("containerd") },
  runc: { package: "runc", find: () => onPath("runc") },
  kubectl: { package: "kubernetes-client", find: () => onPath("kubectl") },
  umoci: { package: "umoci", find: () => onPath("umoci") },
  skopeo: { package: "skopeo", find: () => onPath("skopeo") },
  setfattr: { package: "attr", find: () => onPath("setfattr") },
  getfattr: { package: "attr", find: () => onPath("getfattr") },
  tar: { package: "tar", find: () => onPath("tar") },
  chromium: { package: "chromium", find: () => onPath("chromium") },
  zstd: { package: "zstd", find: () => onPath("zstd") },
};

/**
 * @returns {{available: Record<string, string>, missing: string[]}} programs by the name of the peer, and the names of
 *   those that are not there
 */
export function lookForPeers() {
  /** @type {Record<string, string>} */
  const available = {};
  const missing = [];
  for (const [name, { find }] of Object.entries(peers)) {
    const path = find();
    if (path === undefined) missing.push(name);
    else available[name] = path;
  }
  return { available, missing };
}

/** Installs what is missing, if it can, and looks again. */
export async function setUpPeers() {
  const before = lookForPeers();
  if (before.missing.length === 0) return before;
  const reason = whyNotInstall();
  if (reason === undefined) await install([...new Set(before.missing.map((name) => peers[name].package))]);
  else say(`cannot install here: ${reason}`);
  const after = lookForPeers();
  for (const name of after.missing) say(`${name} is missing (apt-get install ${peers[name].package}); its tests skip`);
  return after;
}

function whyNotInstall() {
  if (!existsSync("/etc/debian_version") || onPath("apt-get") === undefined) return "this is no Debian";
  return process.getuid?.() === 0 ? undefined : "only root may";
}

async function install(packages) {
  say(`installing ${packages.join(", ")} …`);
  if (!(await aptGet(["update"]))) return;
  await withoutDaemons(() => aptGet(["install", "-y", "--no-install-recommends", ...packages]));
}

async function aptGet(args) {
  const environment = { DEBIAN_FRONTEND: "noninteractive" };
  // Seconds to wait for another apt-get, such as a CI image's own.
  const options = ["-q", "-o", "DPkg::Lock::Timeout=60"];
  const { code, output } = await run("apt-get", [...options, ...args], { env: environment, timeoutSeconds: 300 });
  if (code !== 0) say(`apt-get ${args[0]} failed with ${code}:\n${lastLines(output, 10)}`);
  return code === 0;
}

// Debian's packages start their daemons when they are installed. This script of Debian's own is asked before
// (invoke-rc.d(8)) and says no; one that is there already is left alone.
async function withoutDaemons(work) {
  const policy = "/usr/sbin/policy-rc.d";
  if (existsSync(policy)) return work();
  writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    return await work();
  } finally {
    rmSync(policy, { force: true });
  }
}

function debianPostgres() {
  const folder = "/usr/lib/postgresql";
  const versions = existsSync(folder) ? readdirSync(folder).toSorted((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(folder, version, "bin", "postgres")).find((path) => existsSync(path));
}

function onPath(program) {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  // Debian keeps some servers where only root's PATH leads.
  return [...folders, "/usr/sbin", "/usr/local/sbin"].map((folder) => join(folder, program)).find(existsSync);
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const found = process.argv.includes("--check") ? lookForPeers() : await setUpPeers();
  process.stdout.write(`${JSON.stringify(found)}\n`);
}
