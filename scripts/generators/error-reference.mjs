// docs/errors.md: the catalogue of packages/core as a page.
import { catalogue } from "../../packages/core/dist/index.js";

export const path = "docs/errors.md";

// These tell what failed; whether it may pass is up to what is behind them.
const wraps = new Set(["FI_CHECK_FAILED", "FI_GET_FAILED"]);

export function make() {
  const rows = Object.entries(catalogue).map(([code, { says, fix, retryable }]) =>
    [`\`${code}\``, says, fix, wraps.has(code) ? "as its cause" : retryable ? "yes" : "no"].map(cell),
  );
  return `# Errors

<!-- Generated from packages/core/src/errors/catalogue.ts by \`pnpm generate\`. Change it there. -->

Every error is a \`FetchImageError\` with one of these codes. The codes are public API; the words are not. A thrown
error's \`message\` names the culprit (host, reference, field, status), its \`hint\` the fix for that case, and
\`retryable\` says whether the same request may succeed later without anything being changed.

| Code | What it says | What to do | Retryable |
| --- | --- | --- | --- |
${rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}
`;
}

// Code keeps its text, save for the bar that would end the cell.
const cell = (text) =>
  text.replaceAll(/(`[^`]*`)|[<|*_]/g, (mark, code) => code?.replaceAll("|", "\\|") ?? `\\${mark}`);
