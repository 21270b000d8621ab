/** The known word that a mistyped one most likely stands for; undefined when none is near. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  const written = word.slice(0, 64).toLowerCase().replaceAll("-", "_");
  const ranked = known
    .map((candidate) => ({ candidate, distance: distance(written, candidate.toLowerCase().replaceAll("-", "_")) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 3)))
    .toSorted((a, b) => a.distance - b.distance);
  return ranked[0]?.candidate ?? known.find((candidate) => candidate.length >= 4 && written.startsWith(candidate));
}

/** How many letters must be added, removed, replaced or swapped with their neighbour (optimal string alignment). */
function distance(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      current[column] = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (same ? 0 : 1),
        swapped ? at(beforePrevious, column - 2) + 1 : Infinity,
      );
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
