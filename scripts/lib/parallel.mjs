/** @typedef {{name: string, after?: readonly string[], work: () => Promise<void>}} Piece */

/**
 * Runs named pieces of work, at most `limit` at a time, each as soon as all those that it names in `after` have ended.
 * @param {readonly Piece[]} pieces in the order in which
 *   they start where nothing else decides; each name in an `after` must be one of theirs
 * @param {number} limit
 */
export async function inParallel(pieces, limit) {
  const waiting = [...pieces];
  const running = new Map();
  /** @param {Piece} piece */
  const mayStart = ({ after = [] }) =>
    after.every((name) => !running.has(name) && !waiting.some((other) => other.name === name));
  while (waiting.length > 0 || running.size > 0) {
    const next = running.size < limit ? waiting.findIndex(mayStart) : -1;
    if (next < 0) {
      await Promise.race(running.values());
      continue;
    }
    const [{ name, work }] = waiting.splice(next, 1);
    running.set(
      name,
      work().finally(() => running.delete(name)),
    );
  }
}
