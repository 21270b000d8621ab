/**
 * How long a contest takes, from the environment: FETCH_IMAGE_BENCH_SECONDS a segment (3), FETCH_IMAGE_BENCH_ROUNDS (3),
 * FETCH_IMAGE_BENCH_IN_FLIGHT, as `1,16,64,256`, and FETCH_IMAGE_BENCH_ONLY, names of contestants; the first one, to
 * which the others are compared, always takes part.
 * @template {{name: string}} C
 * @param {readonly C[]} contestants
 */
export function howFromEnvironment(contestants) {
  const list = (name) => process.env[`FETCH_IMAGE_BENCH_${name}`]?.split(",").map((word) => word.trim());
  const only = list("ONLY");
  const unknown = only?.filter((name) => !contestants.some((contestant) => contestant.name === name)) ?? [];
  const names = contestants.map(({ name }) => name);
  if (unknown.length > 0) throw new Error(`no contestant ${unknown.join(", ")}; there are: ${names.join(", ")}`);
  const chosen = contestants.filter(({ name }, index) => index === 0 || only === undefined || only.includes(name));
  const how = {
    inFlight: (list("IN_FLIGHT") ?? ["1", "16", "64", "256"]).map(Number),
    seconds: Number(list("SECONDS")?.[0] ?? 3),
    rounds: Number(list("ROUNDS")?.[0] ?? 3),
    warm: { workflows: 3000, seconds: 5 },
  };
  if (![...how.inFlight, how.seconds, how.rounds].every((value) => value > 0)) {
    throw new Error("FETCH_IMAGE_BENCH_SECONDS, _ROUNDS and _IN_FLIGHT are positive numbers");
  }
  return { chosen, how };
}
