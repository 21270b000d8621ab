import { resolve } from "node:path";
import { FetchImageError } from "@fetch-image/core";
import type { ArchiveSummary } from "@fetch-image/store/archive";
import type { ExpiredAudit } from "@fetch-image/store/postgres";
import { moment } from "../audit/options.ts";
import type { Command, GivenOptions } from "../command.ts";
import { exitStatus } from "../exit-status.ts";
import { openStores, projectToHead, type Stores } from "../open-stores.ts";
import { storeSettings } from "../setting-groups.ts";

export const command: Command = {
  usage: "--before TIME --to DIR [--expire] [--audit-before TIME] [--json]",
  about: `Writes the facts of builds that were opened, and got their last fact, before TIME into files of DIR, one for each day
of their opening: NDJSON, a fact a line, gzipped, with a manifest that holds the sha256 of each. A build that is still
running stays. With --expire, the facts of what was read back from there are removed from the store: those builds' logs can
be rebuilt no more, and what they ran, and why, stays known. Run again after an interruption, the command goes on.
--audit-before forgets, by whole days, what builds ran whose facts were removed. TIME is 2026-11-22T04:40:00Z, a day of UTC,
or 720h for so long ago.`,
  positionals: { min: 0, max: 0 },
  options: [
    { name: "before", value: "TIME", does: "builds that were over by then" },
    { name: "to", value: "DIR", does: "the archive: a directory, made where it is missing, or gone on with" },
    { name: "expire", does: "remove the facts of the archived builds from the store" },
    { name: "audit-before", value: "TIME", does: "forget what builds ran that were opened on days before" },
  ],
  settings: storeSettings,
  examples: [
    "fetch-image archive --before 720h --to /backup/fetch-image",
    "fetch-image archive --before 2026-11-01 --to /backup/fetch-image --expire --audit-before 2025-11-01",
  ],
  async run({ options, settings, json, terminal, logger, signal, cwd }) {
    const before = await timeOf(options, "before");
    const directory = resolve(cwd, textOf(options, "to"));
    const expires = options.on("expire");
    const auditBefore = options.text("audit-before") === undefined ? undefined : await timeOf(options, "audit-before");
    const access = expires || auditBefore !== undefined ? "write" : "read";
    const started = performance.now();
    await using stores = await openStores(settings, { access, logger });
    const expire = expires ? expireOf(stores) : undefined;
    await projectToHead(stores, logger);
    const { archiveBuilds } = await import("@fetch-image/store/archive");
    const { eventLog, readModel, retention } = stores;
    const summary = await archiveBuilds({
      eventLog,
      readModel,
      directory,
      before,
      signal,
      ...(expire === undefined ? {} : { expire }),
      onProgress: ({ day, builds, facts }) =>
        terminal.progress(`archiving ${day}: ${builds} builds, ${facts} facts so far`),
    });
    if ((summary.expired?.facts ?? 0) > 0) await retention?.reclaimRoom();
    const audit = auditBefore === undefined ? undefined : await retention?.expireAudit({ before: auditBefore, signal });
    terminal.progress("");
    const ms = Math.round(performance.now() - started);
    if (json) terminal.out(`${JSON.stringify({ directory, ...summary, ...(audit && { audit }), ms })}\n`);
    else terminal.out(inWords(directory, summary, audit));
    return exitStatus.done;
  },
};

function expireOf({ retention, where }: Stores) {
  if (retention?.expireArchived !== undefined) return retention.expireArchived;
  throw new FetchImageError("FI_USAGE", {
    message: `--expire removes nothing from ${where}: EventStoreDB could not take a restored stream back as it was`,
    hint: "Archive without --expire, soft-delete the streams of archived builds by EventStoreDB's own tools, and scavenge.",
  });
}

async function timeOf(options: GivenOptions, name: "before" | "audit-before"): Promise<number> {
  const { askedTime } = await import("@fetch-image/engine");
  return Date.parse(askedTime(moment(textOf(options, name))));
}

function textOf(options: GivenOptions, name: "before" | "audit-before" | "to"): string {
  const text = options.text(name);
  if (text !== undefined && text !== "") return text;
  throw new FetchImageError("FI_USAGE", {
    message: `fetch-image archive: --${name} is missing`,
    hint: "Write `fetch-image archive --before TIME --to DIR`.",
  });
}

function inWords(directory: string, summary: ArchiveSummary, audit: ExpiredAudit | undefined): string {
  const { builds, facts, files, already, left, expired } = summary;
  const into = `${counted(files.length, "new file")} of ${directory}`;
  const lines = [`archived ${counted(builds, "build")}, ${counted(facts, "fact")}, in ${into}`];
  if (already > 0) lines.push(`in the archive already: ${counted(already, "build")}`);
  if (left > 0) lines.push(`left as not over, or with facts of a newer version: ${counted(left, "build")}`);
  if (expired !== undefined)
    lines.push(`removed ${counted(expired.facts, "fact")} of ${counted(expired.builds, "build")}`);
  if (audit !== undefined) {
    lines.push(`forgot what builds ran on ${counted(audit.dropped.length, "day")}`);
    if (audit.left.length > 0)
      lines.push(`kept ${audit.left.join(", ")}: too many builds have facts still; --expire first`);
  }
  return `${lines.join("\n")}\n`;
}

function counted(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
