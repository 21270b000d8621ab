import { FetchImageError } from "@fetch-image/core";
import type { CopyProgress, CopySummary } from "@fetch-image/store/copy";
import type { Command, GivenOptions } from "../command.ts";
import { exitStatus } from "../exit-status.ts";
import { logSettings } from "../setting-groups.ts";
import { openStoreAt, type StorePlace, storePlace } from "../store-at.ts";

export const command: Command = {
  usage: "--from URL --to URL [--json]",
  about: `Copies every fact of one event store into another: streams, revisions, ids, types, data and metadata stay, and so
does the order of all facts. A store is postgres://…, esdb://… or kurrentdb://…, or a data directory (a path or file://…).
The target must be empty, or hold a beginning of the source: run again after an interruption, the command compares what
is there and goes on. In the end all that was copied is read back and compared. The target's read model is another matter:
\`fetch-image rebuild\` makes it from the facts.`,
  positionals: { min: 0, max: 0 },
  options: [
    { name: "from", value: "URL", does: "the store to copy; it is only read" },
    { name: "to", value: "URL", does: "the store to copy to" },
  ],
  settings: ["storePatience", ...logSettings],
  examples: [
    "fetch-image copy-events --from .fetch-image --to postgres://ci@db.example/ci",
    "fetch-image copy-events --from postgres://ci@db.example/ci --to esdb://ci:secret@events.example:2113 --json",
  ],
  async run({ options, settings, json, terminal, logger, signal }) {
    const source = storePlace(given(options, "from"), "--from");
    const target = storePlace(given(options, "to"), "--to");
    assertTwo(source, target);
    const started = performance.now();
    const { copyEvents } = await import("@fetch-image/store/copy");
    await using from = await openStoreAt(source, { access: "read", logger });
    await using to = await openStoreAt(target, { access: "write", logger });
    const summary = await copyEvents({
      from: from.eventLog,
      to: to.eventLog,
      ...(to.readModel === undefined ? {} : { readModel: to.readModel }),
      signal,
      patienceMs: settings.values.storePatience,
      onProgress: (progress) => terminal.progress(show(progress)),
    });
    terminal.progress("");
    const ms = Math.round(performance.now() - started);
    if (json) terminal.out(`${JSON.stringify({ from: from.where, to: to.where, ...summary, ms })}\n`);
    else {
      terminal.out(inWords(summary, ms));
      terminal.err(hint(summary));
    }
    return exitStatus.done;
  },
};

function given(options: GivenOptions, name: "from" | "to"): string {
  const text = options.text(name);
  if (text !== undefined) return text;
  throw new FetchImageError("FI_USAGE", {
    message: `fetch-image copy-events: --${name} is missing`,
    hint: "Write `fetch-image copy-events --from URL --to URL`.",
  });
}

function assertTwo(source: StorePlace, target: StorePlace): void {
  if (JSON.stringify(source) !== JSON.stringify(target)) return;
  throw new FetchImageError("FI_USAGE", {
    message: "--from and --to name the same store",
    hint: "Name the store to copy, and another one to copy it to.",
  });
}

function show({ doing, facts, copied }: CopyProgress): string {
  return doing === "copying" ? `copying: ${copied} facts so far` : `comparing: ${facts} facts are the same so far`;
}

function inWords({ facts, streams, copied, digest }: CopySummary, ms: number): string {
  return `copied ${copied} facts in ${ms} ms\nboth hold the same ${facts} facts of ${streams} streams: ${digest}\n`;
}

function hint({ readModelEmptied }: CopySummary): string {
  const emptied = readModelEmptied
    ? "The target's read model had been projected from other facts and is empty now. "
    : "";
  return `${emptied}Before the target is used: fetch-image rebuild, with its settings.\n`;
}
