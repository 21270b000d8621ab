/** Numbers that a seed decides, the same on every machine (Marsaglia's xorshift, 32 bits). */
export interface Random {
  /** A whole number from 0 up to, and without, `bound`. */
  below(bound: number): number;
  pick<T>(items: readonly T[]): T;
}

export function randomOf(seed: number): Random {
  // Neighbouring seeds would begin alike, and zero never moves.
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (let warmUp = 0; warmUp < 8; warmUp++) next();
  const below = (bound: number): number => next() % bound;
  return {
    below,
    pick(items) {
      const [first] = items;
      if (first === undefined) throw new Error("there is nothing to pick from");
      return items[below(items.length)] ?? first;
    },
  };
}
