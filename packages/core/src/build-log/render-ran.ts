import type { BuildFactData } from "../facts/build-facts.ts";
import { ranWords } from "./fact-words.ts";
import { paint, type RenderOptions } from "./paint.ts";
import { visible } from "./visible.ts";

/** What was told of what ran, of one fetch: below its explanation. Empty where nobody said anything. */
export function renderRan(told: readonly BuildFactData<"ImageRan">[], { color = false }: RenderOptions = {}): string {
  if (told.length === 0) return "";
  const lines = told.map((data) => {
    const { text, tone } = ranWords(data);
    return paint(visible(`  ${text}`), tone, color);
  });
  return [paint("what ran", "heading", color), ...lines].map((line) => `${line}\n`).join("");
}
