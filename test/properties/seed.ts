let chosen: number | undefined;

/**
 * The seed for every fast-check property of this process: `FETCH_IMAGE_SEED` where it is set, else one drawn once.
 * A drawn seed is printed, so that any run, failed or not, can be had again with `FETCH_IMAGE_SEED=… npx vitest run …`.
 * Throws when `FETCH_IMAGE_SEED` is not a 32-bit integer: a seed that is quietly ignored replays the wrong run.
 */
export function seedFromEnv(): number {
  chosen ??= givenSeed() ?? drawnSeed();
  return chosen;
}

function givenSeed(): number | undefined {
  const text = process.env["FETCH_IMAGE_SEED"];
  if (text === undefined || text === "") return undefined;
  const seed = Number(text);
  // fast-check truncates a seed to 32 bits.
  if (!/^-?\d+$/.test(text) || (seed | 0) !== seed) {
    throw new Error(`FETCH_IMAGE_SEED must be an integer of 32 bits, got "${text}"`);
  }
  return seed;
}

function drawnSeed(): number {
  const seed = Math.floor(Math.random() * 2 ** 31);
  process.stderr.write(`FETCH_IMAGE_SEED=${seed}\n`);
  return seed;
}
