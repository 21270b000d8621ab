/** Bytes for people: `999 B`, `20.1 kB`, `200.8 MB`. */
export function size(bytes: number): string {
  const unit = units.findLast(({ from }) => bytes >= from) ?? { name: "B", from: 1 };
  return unit.from === 1 ? `${bytes} B` : `${(bytes / unit.from).toFixed(1)} ${unit.name}`;
}

const units = [
  { name: "B", from: 1 },
  { name: "kB", from: 1e3 },
  { name: "MB", from: 1e6 },
  { name: "GB", from: 1e9 },
  { name: "TB", from: 1e12 },
];
