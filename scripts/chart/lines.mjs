// Lines between boxes and cards, and how they become plainer than elk leaves them.

/** @typedef {readonly [x: number, y: number]} Point */
/** @typedef {{readonly points: readonly Point[], readonly arrow: boolean}} Line with right angles only */

/** A jog of fewer pixels than this looks like a mistake. */
const jog = 5;

/**
 * The same line without the jogs that are too small to see why they are there: what comes before one moves over.
 * @param {readonly Point[]} points
 * @returns {Point[]}
 */
export function straightened(points) {
  const straight = [...points];
  for (let at = 1; at + 2 < straight.length; at++) {
    const [before, from, to, after] = straight.slice(at - 1, at + 3);
    if (before[0] === from[0] && to[0] === after[0] && Math.abs(from[0] - to[0]) < jog) {
      straight[at - 1] = [to[0], before[1]];
      straight[at] = to;
    }
  }
  return straight.filter(
    ([x, y], index) => index === 0 || x !== straight[index - 1][0] || y !== straight[index - 1][1],
  );
}

/**
 * Whether a line leaves a box and comes back to the same side of it.
 * @param {Line} line
 */
export function isLoop({ points }) {
  const [start, end] = [points[0], points.at(-1)];
  return points.length === 4 && start[0] === end?.[0] && start[0] !== points[1][0];
}

/**
 * A loop as two lines: to the card that stands beside it, and back.
 * @param {{card: {width: number, height: number}, x: number, y: number}} place
 * @param {Line} line
 * @returns {Line[]}
 */
export function loopThrough({ card, x, y }, { points: [[side], [outside]] }) {
  const near = outside < side ? x + card.width : x;
  const middle = y + Math.round(card.height / 2);
  const away = middle - apart;
  const home = middle + apart;
  return [
    {
      points: [
        [side, away],
        [near, away],
      ],
      arrow: false,
    },
    {
      points: [
        [near, home],
        [side, home],
      ],
      arrow: true,
    },
  ];
}

/** Half of the distance between the two. */
const apart = 6;
