import type { AuditMove, AuditVersion } from "@fetch-image/engine";
import { openAudit } from "../audit/open-audit.ts";
import { limitOf, limitOption, rangeOf, rangeOptions } from "../audit/options.ts";
import { printPages } from "../audit/print-rows.ts";
import { scopeTitle } from "../audit/scope-text.ts";
import type { Command } from "../command.ts";
import { exitStatus } from "../exit-status.ts";
import { storeSettings } from "../setting-groups.ts";

export const command: Command = {
  usage: "[--since TIME] [--until TIME] [--ref REFERENCE]",
  about: `Lists the tags that moved, the oldest move first: from which digest, to which, when that was observed, and the first
build that ran the new one. A tag that vanished is one too, and so is one that came back; a first observation is none.`,
  positionals: { min: 0, max: 0 },
  options: [
    ...rangeOptions,
    { name: "ref", value: "REFERENCE", does: "only this repository, or this tag of it" },
    limitOption,
  ],
  settings: storeSettings,
  examples: ["fetch-image drift --since 24h", "fetch-image drift --ref golang:1.22 --json"],
  async run({ options, settings, json, terminal, logger }) {
    const reference = options.text("ref");
    const question = { ...rangeOf(options), ...(reference === undefined ? {} : { reference }) };
    const limit = limitOf(options);
    await using opened = await openAudit(settings, logger);
    const { audit, stores } = opened;
    const ask = (page: { readonly limit: number; readonly page?: string }) => audit.drift({ ...question, ...page });
    const count = await printPages(ask, { head, cells }, { terminal, json, limit });
    if (count === 0 && !json) terminal.err(`no tag is known to have moved in ${stores.where}\n`);
    return exitStatus.done;
  },
};

const head = ["OBSERVED", "WHAT", "IMAGE", "FIRST BUILD", "FROM", "TO"];

function cells(move: AuditMove) {
  const { observedAt, kind, from, to, firstBuild } = move;
  const isTagged = move.tag !== undefined;
  const title = scopeTitle(move);
  return [
    observedAt,
    kind,
    title,
    firstBuild?.build ?? "none yet",
    show(from, isTagged),
    to === null ? "none" : show(to, isTagged),
  ];
}

function show({ tag, digest = "" }: AuditVersion, isTagged: boolean): string {
  return isTagged || tag === undefined ? digest : `${tag}@${digest}`;
}
