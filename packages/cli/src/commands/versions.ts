import { visible } from "@fetch-image/core";
import type { AuditHistory } from "@fetch-image/engine";
import { openAudit } from "../audit/open-audit.ts";
import { limitOf } from "../audit/options.ts";
import { scopeIdentity, scopeTitle } from "../audit/scope-text.ts";
import type { Command } from "../command.ts";
import { exitStatus } from "../exit-status.ts";
import { storeSettings } from "../setting-groups.ts";
import { createStyle } from "../style.ts";
import { table } from "../table.ts";

export const command: Command = {
  usage: "REFERENCE [--limit N]",
  about: `Lists the versions that were observed of an image, the current one last: one history for each tag and each set of
credentials, a line for each stay of a version. Without a tag, those of all tags. An image of ECR is found by the host that
is pulled from, too. What was never asked for has no history.`,
  positionals: { min: 1, max: 1 },
  options: [{ name: "limit", value: "N", does: "the newest N of each history, 1 to 1000 (default 100)" }],
  settings: storeSettings,
  examples: ["fetch-image versions busybox:1.36", "fetch-image versions registry.example.com/my-resource --json"],
  async run({ positionals: [reference = ""], options, settings, json, terminal, logger }) {
    const limit = limitOf(options);
    await using opened = await openAudit(settings, logger);
    const { audit, stores } = opened;
    const histories = await audit.versions(reference, limit === Infinity ? {} : { limit });
    if (json) terminal.out(histories.flatMap(rowsJson).join(""));
    else if (histories.length === 0) {
      terminal.err(`${await canonical(reference)} was never asked for in ${stores.where}\n`);
    } else {
      terminal.out(histories.map((history) => showHistory(history, terminal.outColor)).join("\n"));
    }
    return exitStatus.done;
  },
};

async function canonical(text: string): Promise<string> {
  const { formatReference, parseReference } = await import("@fetch-image/core");
  const parsed = parseReference(text);
  return parsed.ok ? formatReference(parsed.reference) : visible(text);
}

/** A line for each stay, the oldest first. */
function rowsJson({ stays, before: _before, tag: scopeTag, ...history }: AuditHistory): readonly string[] {
  return stays
    .toReversed()
    .map((stay) => `${JSON.stringify({ ...history, ...(scopeTag === undefined ? {} : { scopeTag }), ...stay })}\n`);
}

function showHistory(history: AuditHistory, color: boolean): string {
  const { strong, quiet, good, bad } = createStyle(color);
  const { tag, stays, lastCheckedAt, lastFailure, before } = history;
  const checked = `last checked ${lastCheckedAt ?? "never"}`;
  const title = `${strong(scopeTitle(history))}  ${quiet(`${checked}, ${scopeIdentity(history)}`)}\n`;
  const rows = stays
    .toReversed()
    .map((stay) => [
      ...(tag === undefined ? [`  ${stay.tag ?? ""}`] : []),
      `${tag === undefined ? "" : "  "}${stay.vanished ? "gone" : (stay.digest ?? "")}`,
      stay.firstObservedAt,
      stay.lastObservedAt,
      String(stay.observations),
      stay.firstObservedBy.build,
      stay.current ? good("current") : "",
    ]);
  const names = tag === undefined ? ["  TAG", "DIGEST"] : ["  DIGEST"];
  const head = [...names, "FIRST OBSERVED", "LAST OBSERVED", "TIMES", "FIRST BY", ""].map(quiet);
  const older = before === undefined ? "" : quiet(`  there are older ones: --limit\n`);
  const failed = lastFailure === undefined ? "" : `  ${bad(`the last check failed: ${visible(lastFailure)}`)}\n`;
  return `${title}${older}${rows.length === 0 ? "  no version was observed yet\n" : table([head, ...rows])}${failed}`;
}
