import type { Chart } from "../../scripts/chart/chart-model.mjs";
import type { Layout } from "../../scripts/chart/layout.mjs";

interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * What a reader would stumble over in a laid out chart, one line each: boxes and pills on top of each other or out of
 * what they belong to, lines that slant, lead nowhere or leave the picture, words wider than their box.
 */
export function pictureProblems(chart: Chart, layout: Layout): string[] {
  return [...boxProblems(layout), ...cardProblems(layout), ...lineProblems(layout), ...missing(chart, layout)];
}

function boxProblems({ boxes, ...canvas }: Layout): string[] {
  const byId = new Map(boxes.map((placed) => [placed.box.state.id, placed]));
  return boxes.flatMap((placed) => {
    const { id, parent } = placed.box.state;
    const siblings = boxes.filter(({ box }) => box.state.parent === parent && box.state.id !== id);
    const around = parent === null ? undefined : byId.get(parent);
    const room = around === undefined ? { x: 0, y: 0, ...canvas } : below(around, around.box.height);
    return [
      ...siblings.filter((other) => meet(placed, other)).map(({ box }) => `${id} is on top of ${box.state.id}`),
      ...told(!within(placed, room), `${id} is outside of ${parent}`),
      ...told(placed.width < placed.box.width || placed.height < placed.box.height, `${id} is too small for its words`),
      ...told(wordsLeave(placed.box), `${id} has words that are wider than itself`),
    ];
  });
}

function cardProblems({ boxes, routes, ...canvas }: Layout): string[] {
  const cards = routes.flatMap(({ route, card }) =>
    card === undefined ? [] : [{ id: route.id, ...card, width: card.card.width, height: card.card.height }],
  );
  return cards.flatMap((card) => [
    ...told(!within(card, { x: 0, y: 0, ...canvas }), `the pill of ${card.id} leaves the picture`),
    ...cards.filter((other) => other.id < card.id && meet(card, other)).map(({ id }) => `${card.id} is on ${id}`),
    ...boxes
      .filter((placed) => meet(card, placed))
      .filter(({ box, ...placed }) => !within(card, below(placed, box.height)) || box.state.children.length === 0)
      .map(({ box }) => `the pill of ${card.id} is across ${box.state.id}`),
    ...card.card.pills.filter(wordsLeave).map(({ edge }) => `the pill of ${edge.id} is too narrow for its words`),
  ]);
}

function lineProblems({ boxes, routes, ...canvas }: Layout): string[] {
  const byId = new Map(boxes.map((placed) => [placed.box.state.id, placed]));
  return routes.flatMap(({ route, lines }) => {
    const tips = lines.filter(({ arrow }) => arrow).map(({ points }) => points.at(-1) ?? [Number.NaN, Number.NaN]);
    const outside = lines
      .flatMap(({ points }) => points)
      .filter(([x, y]) => !within(spot(x, y), { x: 0, y: 0, ...canvas }));
    const slants = lines.filter(({ points }) =>
      points.some(([x, y], index) => {
        const before = points[index - 1];
        return before !== undefined && (before[0] === x) === (before[1] === y);
      }),
    );
    const astray = route.targets.filter((target, index) => {
      const [x, y] = tips[index] ?? [Number.NaN, Number.NaN];
      const box = byId.get(target);
      return box === undefined || !onBorder([x, y], box);
    });
    const obstacles = [
      ...boxes
        .filter(({ box }) => box.state.children.length === 0)
        .map(({ box, ...place }) => ({ id: box.state.id, ...place })),
      ...routes.flatMap(({ route: { id }, card }) =>
        card === undefined || id === route.id ? [] : [{ id: `the pill of ${id}`, ...card, ...card.card }],
      ),
    ];
    const segments = lines.flatMap(({ points }) =>
      points.slice(1).map((point, index) => between(points[index] ?? point, point)),
    );
    const hit = obstacles.filter((obstacle) => segments.some((segment) => meet(segment, obstacle)));
    return [
      ...hit.map(({ id }) => `a line of ${route.id} leads through ${id}`),
      ...outside.map((point) => `${route.id} leaves the picture at ${point.join(" ")}`),
      ...slants.map(() => `${route.id} has a line that slants`),
      ...astray.map((target) => `no line of ${route.id} ends at ${target}`),
    ];
  });
}

function missing({ states, edges }: Chart, { boxes, routes }: Layout): string[] {
  const drawn = new Set([
    ...boxes.map(({ box }) => box.state.id),
    ...routes.flatMap(({ route }) => route.edges.map(({ id }) => id)),
    ...boxes.flatMap(({ box }) =>
      box.parts.flatMap((part) => (part.part === "card" ? part.card.pills.map(({ edge }) => edge.id) : [])),
    ),
  ]);
  return [...states, ...edges].filter(({ id }) => !drawn.has(id)).map(({ id }) => `${id} is not drawn`);
}

const told = (wrong: boolean, what: string): string[] => (wrong ? [what] : []);

function between([x, y]: readonly [number, number], [toX, toY]: readonly [number, number]): Rectangle {
  return { x: Math.min(x, toX), y: Math.min(y, toY), width: Math.abs(toX - x), height: Math.abs(toY - y) };
}

const spot = (x: number, y: number): Rectangle => ({ x, y, width: 0, height: 0 });

function below({ x, y, width, height }: Rectangle, headHeight: number): Rectangle {
  return { x, y: y + headHeight, width, height: height - headHeight };
}

/** Places are whole pixels: neighbours may share one. */
function meet(one: Rectangle, other: Rectangle): boolean {
  const across = one.x + 1 < other.x + other.width && other.x + 1 < one.x + one.width;
  return across && one.y + 1 < other.y + other.height && other.y + 1 < one.y + one.height;
}

function within(inner: Rectangle, outer: Rectangle): boolean {
  const across = inner.x >= outer.x && inner.x + inner.width <= outer.x + outer.width;
  return across && inner.y >= outer.y && inner.y + inner.height <= outer.y + outer.height;
}

function onBorder([x, y]: readonly [number, number], box: Rectangle): boolean {
  const near = (value: number, edge: number): boolean => Math.abs(value - edge) <= 1;
  if (near(x, box.x) || near(x, box.x + box.width)) return y >= box.y - 1 && y <= box.y + box.height + 1;
  return (near(y, box.y) || near(y, box.y + box.height)) && x >= box.x && x <= box.x + box.width;
}

function wordsLeave({
  width,
  parts,
}: {
  readonly width: number;
  readonly parts: Layout["boxes"][number]["box"]["parts"];
}) {
  return parts.some((part) => (part.part === "text" || part.part === "chip") && part.x + part.width > width);
}
