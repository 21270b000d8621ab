import { Arena } from "./arena.mjs";
import { Entrant } from "./entrant.mjs";

/** @typedef {import("./arena.mjs").Contestant} Contestant */
/** @typedef {import("./entrant.mjs").Segment} Segment */

/**
 * Has all contestants run in turn: for each round and each number in flight, one after the other, each round beginning
 * with another one. Counts every store in the end.
 * @param {readonly Contestant[]} contestants
 * @param {{inFlight: readonly number[], seconds: number, rounds: number, warm: {workflows: number, seconds: number}}} how
 * @returns {Promise<Map<string, Segment[]>>} by `<name>-<in flight>`, one for each round
 */
export async function contest(contestants, { inFlight, seconds, rounds, warm }) {
  const arena = await Arena.open(contestants);
  const entrants = [];
  const results = new Map();
  try {
    for (const contestant of contestants) {
      const entrant = await Entrant.enter(arena, contestant);
      entrants.push(entrant);
      await entrant.start();
      await entrant.warm(warm);
    }
    for (let round = 0; round < rounds; round++) {
      const order = [...entrants.slice(round % entrants.length), ...entrants.slice(0, round % entrants.length)];
      for (const many of inFlight) {
        for (const entrant of order) {
          const segment = await entrant.load(many, seconds);
          const key = `${entrant.name}-${many}`;
          results.set(key, [...(results.get(key) ?? []), segment]);
        }
      }
      process.stderr.write(`round ${round + 1} of ${rounds} done\n`);
    }
    for (const entrant of entrants) {
      await entrant.stop();
      await entrant.verify();
    }
    return results;
  } finally {
    for (const entrant of entrants) await entrant.leave();
    await arena.close();
  }
}
