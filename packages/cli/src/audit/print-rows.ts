import type { AuditPage } from "@fetch-image/engine";
import type { Terminal } from "../terminal.ts";
import { createStyle } from "../style.ts";
import { table } from "../table.ts";

export interface PrintedRows<Row> {
  readonly head: readonly string[];
  readonly cells: (row: Row) => readonly string[];
}

const pageSize = 500;

/**
 * Asks page by page and prints each as it comes, whoever reads slowly being waited for: an answer of any length takes the
 * memory of a page. Gives the number of rows.
 */
export async function printPages<Row extends object>(
  ask: (page: { readonly limit: number; readonly page?: string }) => Promise<AuditPage<Row>>,
  { head, cells }: PrintedRows<Row>,
  { terminal, json, limit }: { readonly terminal: Terminal; readonly json: boolean; readonly limit: number },
): Promise<number> {
  const { quiet } = createStyle(terminal.outColor);
  let count = 0;
  let next: string | undefined;
  let dropped: string | undefined;
  // The first page says how wide the columns are.
  let widths: readonly number[] = [];
  do {
    const answer = await ask({
      limit: Math.min(pageSize, limit - count),
      ...(next === undefined ? {} : { page: next }),
    });
    if (json) terminal.out(answer.rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    else if (answer.rows.length > 0) {
      const lines = answer.rows.map(cells);
      const title = count === 0 ? [head.map(quiet)] : [];
      if (count === 0)
        widths = head.map((name, column) => Math.max(name.length, ...lines.map((line) => line[column]?.length ?? 0)));
      terminal.out(
        table([...title, ...lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)))]),
      );
    }
    await terminal.flushed();
    count += answer.rows.length;
    next = answer.next;
    dropped = answer.droppedBefore;
  } while (next !== undefined && count < limit);
  if (dropped !== undefined) terminal.err(droppedNote(dropped));
  return count;
}

/** What stands beside an answer that cannot be of all builds. */
export function droppedNote(before: string): string {
  return `builds opened before ${before} may have been dropped from the audit: what they ran is not told\n`;
}
