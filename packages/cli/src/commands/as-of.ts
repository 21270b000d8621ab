import { visible } from "@fetch-image/core";
import type { AuditAsOf, AuditObservation } from "@fetch-image/engine";
import { openAudit } from "../audit/open-audit.ts";
import { moment } from "../audit/options.ts";
import { scopeIdentity, scopeTitle } from "../audit/scope-text.ts";
import type { Command } from "../command.ts";
import { exitStatus } from "../exit-status.ts";
import { storeSettings } from "../setting-groups.ts";
import { createStyle } from "../style.ts";

export const command: Command = {
  usage: "REFERENCE TIME",
  about: `Tells what a reference was at a time, between which two observations: one answer for each set of credentials and
each tag. Before the first observation it is unknown. TIME is 2026-11-22T04:40:00Z, a day of UTC, or 24h for so long ago;
times are of the clock of the node that asked the registry.`,
  positionals: { min: 2, max: 2 },
  options: [],
  settings: storeSettings,
  examples: [
    "fetch-image as-of golang:1.22 2026-11-22T11:00:00Z",
    "fetch-image as-of registry.example.com/app:v1 24h --json",
  ],
  async run({ positionals: [reference = "", time = ""], settings, json, terminal, logger }) {
    await using opened = await openAudit(settings, logger);
    const answers = await opened.audit.asOf(reference, moment(time));
    if (json) {
      const none = { reference, time: moment(time), known: "unknown", sameAfter: null };
      const rows: readonly object[] = answers.length === 0 ? [none] : answers;
      terminal.out(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    } else if (answers.length === 0) {
      terminal.out(`unknown: ${visible(reference)} was never asked for in ${opened.stores.where}\n`);
    } else {
      terminal.out(answers.map((answer) => show(answer, terminal.outColor)).join("\n"));
    }
    return exitStatus.done;
  },
};

function show(answer: AuditAsOf, color: boolean): string {
  const { strong, quiet, good, bad } = createStyle(color);
  const { known, image, version, last, next, sameAfter, failed, time } = answer;
  const found =
    known === "observed" ? good(image ?? version?.digest ?? "") : known === "vanished" ? bad("gone") : "unknown";
  const after =
    sameAfter === true ? "the same" : sameAfter === false ? (next?.vanished === true ? "gone" : changed(next)) : "";
  const lines = [
    `  at ${time}: ${found}`,
    last === undefined ? "  before it: nothing was observed yet" : `  before it: observed ${seen(last)}`,
    next === undefined
      ? "  after it:  nothing was observed since"
      : `  after it:  observed ${seen(next)}${after === "" ? "" : `: ${after}`}`,
    ...(failed === undefined ? [] : [bad(`  a check failed at ${failed.at}: ${visible(failed.message)}`)]),
  ];
  return `${strong(scopeTitle(answer))}  ${quiet(scopeIdentity(answer))}\n${lines.join("\n")}\n`;
}

function seen({ at, by }: AuditObservation): string {
  return `${at} by build ${by.build}`;
}

function changed(next: AuditObservation | undefined): string {
  return `${next?.tag === undefined ? "" : `${next.tag}@`}${next?.digest ?? ""}`;
}
