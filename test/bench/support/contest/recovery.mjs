import { setTimeout as sleep } from "node:timers/promises";
import { Arena } from "./arena.mjs";
import { Entrant } from "./entrant.mjs";
import { summary } from "./report.mjs";

/** @typedef {import("./arena.mjs").Contestant} Contestant */

/**
 * Has each contestant, in turn, begin so many workflows at a registry that does not answer, kills its process once all of
 * them are stored, and measures from the start of another process until all are done; then counts the store: none lost,
 * none done twice. Every round has a store of its own. Emits `recovery-<name>`, in seconds, the
 * CPU of the process that recovered, and the rounds' own ratios to the first contestant.
 * @param {(measurement: object) => void} emit
 * @param {readonly Contestant[]} contestants
 * @param {{rounds: number, workflows?: number}} how
 */
export async function measureRecovery(emit, contestants, { rounds, workflows = 1000 }) {
  const arena = await Arena.open(contestants);
  /** @type {Map<string, {seconds: number, cpuSeconds: number}[]>} */
  const results = new Map(contestants.map(({ name }) => [name, []]));
  try {
    for (let round = 0; round < rounds; round++) {
      for (const contestant of contestants) {
        results.get(contestant.name)?.push(await recover(arena, contestant, workflows));
      }
    }
  } finally {
    await arena.close();
  }
  const [{ name: base }] = contestants;
  const bases = results.get(base) ?? [];
  for (const [name, rounds] of results) {
    const ratioTo = (suffix) => (name === base ? {} : { ratioTo: `recovery-${base}${suffix}` });
    const cpu = summary(rounds.map(({ cpuSeconds }) => cpuSeconds));
    emit({ name: `recovery-${name}`, unit: "s", ...ratioTo(""), ...summary(rounds.map(({ seconds }) => seconds)) });
    emit({ name: `recovery-${name}-worker-cpu`, unit: "s", ...ratioTo("-worker-cpu"), ...cpu });
    const ratio = summary(rounds.map(({ seconds }, round) => seconds / bases[round].seconds));
    if (name !== base) emit({ name: `recovery-${name}-over-${base}`, unit: "x", ...ratio });
  }
}

async function recover(arena, contestant, count) {
  const entrant = await Entrant.enter(arena, contestant);
  try {
    const workflows = Array.from({ length: count }, (_, index) => `crashed-${index}`);
    await arena.registry.tell("hold");
    await entrant.start();
    await entrant.tell({ do: "begin", workflows });
    await allBegun(entrant, count);
    await entrant.kill();
    await arena.registry.tell("answer");
    await entrant.settle();
    const begin = performance.now();
    await entrant.start();
    const { cpuSeconds } = await entrant.tell({ do: "resume", workflows });
    const seconds = (performance.now() - begin) / 1000;
    await entrant.stop();
    await entrant.verify(count);
    process.stderr.write(`${entrant.name} ${seconds.toFixed(2)} s\n`);
    return { seconds, cpuSeconds };
  } finally {
    await arena.registry.tell("answer");
    await entrant.leave();
  }
}

/** Until all have begun, and nothing more is stored: whatever they can do without an answer is done. */
async function allBegun(entrant, count) {
  let before = -1;
  for (const deadline = Date.now() + 120_000; ; await sleep(300)) {
    const { begun, ended, facts } = await entrant.begun();
    if (ended > 0) throw new Error(`${entrant.name} ended workflows at a registry that does not answer`);
    if (begun === count && facts === before) return;
    before = facts;
    if (Date.now() > deadline) throw new Error(`${entrant.name} has begun only ${begun} of ${count} workflows`);
  }
}
