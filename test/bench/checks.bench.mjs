// What a check costs: one tag beside `skopeo inspect --raw`, with a login and without, at Debian's docker-registry; and
// the newest of 5,000 tags, asked for all and alone, the first time and again. Rounds are interleaved.
import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createImageRegistry } from "@fetch-image/registry";
import { Agent, request } from "undici";
import { dockerRegistryMissing, startDockerRegistry } from "../support/docker-registry.ts";
import { summary } from "./support/load.mjs";

export const name = "checks";

const rounds = 7;
const tagRounds = 3;
const tagCount = 5000;
const { signal } = new AbortController();
const execute = promisify(execFile);

export async function run(emit) {
  await oneTag(emit);
  await manyTags(emit);
}

async function oneTag(emit) {
  const missing = dockerRegistryMissing();
  if (missing !== undefined) throw new Error(missing);
  const open = await startDockerRegistry();
  const guarded = await startDockerRegistry({ auth: "token" });
  const registry = createImageRegistry({ allowedRealms: [guarded.tokens?.origin ?? ""] });
  try {
    await open.push("acme/app:1");
    await guarded.push("acme/app:1");
    await compare(emit, { open, guarded, registry });
  } finally {
    await Promise.all([registry.close(), open.close(), guarded.close()]);
  }
}

async function compare(emit, { open, guarded, registry }) {
  const login = { username: "alice", password: "s3cret" };
  const check = (source) => registry.check({ ...source, tag: "1" }, { signal, want: "newest" });
  const pool = new Agent();
  const authorization = `Bearer ${await guarded.tokens?.sign(["repository:acme/app:pull"])}`;
  const workloads = {
    "skopeo-inspect-raw": () =>
      execute("skopeo", ["inspect", "--raw", "--tls-verify=false", `docker://${open.host}/acme/app:1`]),
    "bare-head": () => bareHead(pool, open.origin),
    "bare-head-bearer": () => bareHead(pool, guarded.origin, { authorization }),
    "check-tag-warm": () => check({ repository: `${open.host}/acme/app` }),
    "check-tag-warm-bearer": () => check({ repository: `${guarded.host}/acme/app`, ...login }),
  };
  const medians = new Map();
  for (const work of Object.values(workloads)) for (let n = 0; n < 5; n++) await work();
  for (let round = 0; round < rounds; round++) {
    const taken = new Map();
    // One of each after the other: what else the machine does meets all of them alike.
    for (let n = 0; n < 300; n++) {
      for (const [workload, work] of Object.entries(workloads)) {
        if (workload.startsWith("skopeo") && n % 30 !== 0) continue;
        const begin = performance.now();
        await work();
        taken.set(workload, [...(taken.get(workload) ?? []), performance.now() - begin]);
      }
    }
    for (const [workload, ms] of taken) medians.set(workload, [...(medians.get(workload) ?? []), summary(ms).value]);
  }
  await pool.close();
  const samples = (workload) => medians.get(workload) ?? [];
  emit({ name: "skopeo-inspect-raw", unit: "ms", samples: samples("skopeo-inspect-raw") });
  emit({ name: "bare-head", unit: "ms", samples: samples("bare-head"), ratioTo: "skopeo-inspect-raw" });
  emit({ name: "check-tag-warm", unit: "ms", samples: samples("check-tag-warm"), ratioTo: "skopeo-inspect-raw" });
  // What the registry itself takes to look at a token, and what a check with one takes.
  emit({ name: "bare-head-bearer", unit: "ms", samples: samples("bare-head-bearer"), ratioTo: "bare-head" });
  emit({
    name: "check-tag-warm-bearer",
    unit: "ms",
    samples: samples("check-tag-warm-bearer"),
    ratioTo: "check-tag-warm",
  });
}

/** The least that a question can cost: nothing is read of the answer but that there is one. */
async function bareHead(dispatcher, origin, headers = {}) {
  const accept = "application/vnd.oci.image.manifest.v1+json";
  const url = `${origin}/v2/acme/app/manifests/1`;
  const { body, statusCode } = await request(url, {
    method: "HEAD",
    headers: { accept, ...headers },
    dispatcher,
    reset: false,
  });
  await body.dump();
  if (statusCode !== 200) throw new Error(`HEAD ${url} -> ${statusCode}`);
}

async function manyTags(emit) {
  const child = fork(fileURLToPath(new URL("support/tagged-registry.mjs", import.meta.url)), [String(tagCount)], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  if (child.stdout === null) throw new Error("the registry's output is not piped");
  const [line] = await once(child.stdout, "data");
  const source = { repository: `${String(line).trim()}/acme/app` };
  const results = new Map();
  try {
    for (let round = -1; round < tagRounds; round++) {
      for (const want of /** @type {const} */ (["all", "newest"])) {
        const note = (how, measured) => {
          // The first round warms the code up.
          if (round >= 0) results.set(`${want}-${how}`, [...(results.get(`${want}-${how}`) ?? []), measured]);
        };
        const before = await heapUsed();
        const registry = createImageRegistry();
        const first = await measure(child, () => registry.check(source, { signal, want }));
        const previous = first.found.versions.at(-1);
        note("first", { ...first, heap: (await heapUsed()) - before });
        const options = { signal, want, recallMs: 60_000, previous };
        note("again", await measure(child, () => registry.check(source, options)));
        note("again-later", await measure(child, () => registry.check(source, { signal, want, previous })));
        const restarted = createImageRegistry();
        note("restarted", await measure(child, () => restarted.check(source, { signal, want, previous })));
        await Promise.all([registry.close(), restarted.close()]);
      }
    }
  } finally {
    child.disconnect();
  }
  for (const [key, measured] of results) {
    const of = (pick) => measured.map(pick);
    emit({ name: `tags-${tagCount}-${key}`, unit: "ms", samples: of(({ ms }) => ms) });
    emit({ name: `tags-${tagCount}-${key}-lists`, unit: "requests", samples: of(({ tags }) => tags) });
    const heads = of(({ manifestHead }) => manifestHead);
    emit({
      name: `tags-${tagCount}-${key}-heads`,
      unit: "requests",
      value: summary(heads).value,
      runs: heads.length,
      spread: 0,
    });
    if (measured[0].heap !== undefined) {
      emit({ name: `tags-${tagCount}-${key}-heap`, unit: "MiB", samples: of(({ heap }) => heap / 1024 ** 2) });
    }
  }
}

/** Time of the work, and the requests that it made. */
async function measure(child, work) {
  await countsOf(child);
  const begin = performance.now();
  const found = await work();
  const ms = performance.now() - begin;
  return { ms, found, ...(await countsOf(child)) };
}

async function countsOf(child) {
  child.send("count");
  const [counts] = await once(child, "message");
  return counts;
}

/** Of what is still held, once whatever was closed had time to go. */
async function heapUsed() {
  for (let n = 0; n < 3; n++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    globalThis.gc?.();
  }
  return process.memoryUsage().heapUsed;
}
