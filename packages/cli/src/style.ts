type Paint = (text: string) => string;

/** Text in colours, for people. */
export interface Style {
  readonly strong: Paint;
  readonly quiet: Paint;
  readonly good: Paint;
  readonly warning: Paint;
  readonly bad: Paint;
}

export function createStyle(color: boolean): Style {
  const paint = (code: number) => (text: string) => (color && text !== "" ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { strong: paint(1), quiet: paint(2), good: paint(32), warning: paint(33), bad: paint(31) };
}
