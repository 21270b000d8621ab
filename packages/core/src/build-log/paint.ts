export interface RenderOptions {
  /** ANSI colours, for terminals. The text is the same without them. */
  readonly color?: boolean;
}

/** What a line of text is to its reader; on a terminal, its colour. */
export type Tone = "plain" | "muted" | "heading" | "good" | "warning" | "bad";

const codes = { muted: "2", heading: "1", good: "32", warning: "33", bad: "31" } as const;

/** The text in the colour of its tone (ECMA-48 SGR); as it is without `color`. The text must be visible already. */
export function paint(text: string, tone: Tone, color: boolean): string {
  return !color || tone === "plain" ? text : `\u001b[${codes[tone]}m${text}\u001b[0m`;
}
