/** Left-aligned columns, two spaces apart; colours do not count. The last column may be as wide as it likes. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => width(row[column] ?? ""))));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - width(cell)))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

function width(text: string): number {
  // oxlint-disable-next-line no-control-regex -- colours are control sequences
  return text.replaceAll(/\u001b\[\d+m/g, "").length;
}
