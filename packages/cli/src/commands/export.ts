import { buildStream, FetchImageError, showText } from "@fetch-image/core";
import type { ExportRow, ExportTable } from "@fetch-image/engine";
import { openAudit } from "../audit/open-audit.ts";
import { droppedNote } from "../audit/print-rows.ts";
import { rangeOf, rangeOptions } from "../audit/options.ts";
import { buildUnknown } from "../build-history.ts";
import type { Command, CommandContext, GivenOptions } from "../command.ts";
import { exitStatus } from "../exit-status.ts";
import { openStores } from "../open-stores.ts";
import { storeSettings } from "../setting-groups.ts";

export const command: Command = {
  usage: "BUILD [--format in-toto|ndjson] | --table builds|images|versions [--format csv|ndjson]",
  about: `With a build, prints an in-toto statement with a SLSA provenance predicate: the images that it ran are its resolved
dependencies. It is not signed. With --format ndjson, every fact of the build as it is stored, one a line: the inspector's
page opens such a file, also without a server. With --table, prints the rows of a stretch of time: builds and their images by when the
build was opened, versions by when they were observed. CSV is RFC 4180 with a head; a field that a spreadsheet would take
for a formula, since it begins with = + - @ or a tab, gets an apostrophe in front.`,
  positionals: { min: 0, max: 1 },
  options: [
    { name: "table", value: "TABLE", does: "builds, images or versions, instead of one build" },
    {
      name: "format",
      value: "FORMAT",
      does: "in-toto (default) or ndjson, its facts, for a build; csv (default) or ndjson for a table",
    },
    ...rangeOptions,
    {
      name: "subject",
      value: "NAME=sha256:HEX",
      repeatable: true,
      does: "what the build made; default: the record itself",
    },
    { name: "builder-id", value: "URI", does: "who ran the build, as those who verify it call it" },
  ],
  settings: storeSettings,
  examples: [
    "fetch-image export 123 --subject app.tar=sha256:0a71d2737c1763a42dff48ef22f8c4a6c408c7e400b2b812f4f8c767c569177b",
    "fetch-image export 123 --format ndjson > build-123.ndjson",
    "fetch-image export --table images --since 2026-11-01 --until 2026-12-01 > images.csv",
  ],
  async run(context) {
    const { positionals, options } = context;
    const [build] = positionals;
    const table = options.text("table");
    if ((build === undefined) === (table === undefined)) {
      throw usage("export takes a build or --table, and not both");
    }
    return build === undefined ? await exportTable(tableOf(table ?? ""), context) : await exportBuild(build, context);
  },
};

async function exportBuild(
  build: string,
  { options, settings, json, terminal, logger }: CommandContext,
): Promise<number> {
  const subjects = options.list("subject").map(subjectOf);
  if (formatOf(options, ["in-toto", "ndjson"]) === "ndjson") {
    if (subjects.length > 0) throw usage("--subject is of a statement, and --format ndjson makes none");
    return await exportFacts(build, { settings, terminal, logger });
  }
  const builderId = options.text("builder-id");
  await using opened = await openAudit(settings, logger);
  const statement = await opened.audit.statement(build, {
    ...(subjects.length === 0 ? {} : { subjects }),
    ...(builderId === undefined ? {} : { builderId }),
  });
  terminal.out(`${JSON.stringify(statement, null, json ? 0 : 2)}\n`);
  return exitStatus.done;
}

const factsRead = 512;

async function exportFacts(
  build: string,
  { settings, terminal, logger }: Pick<CommandContext, "settings" | "terminal" | "logger">,
): Promise<number> {
  const { factJson } = await import("@fetch-image/inspector");
  await using stores = await openStores(settings, { access: "read", logger });
  for (let from = 0n; ; from += BigInt(factsRead)) {
    const facts = await stores.eventLog.read(buildStream(build), { from, limit: factsRead });
    if (facts.length === 0 && from === 0n) throw await buildUnknown(stores, build);
    terminal.out(facts.map((fact) => `${JSON.stringify(factJson(fact))}\n`).join(""));
    // Whoever reads slowly is waited for.
    await terminal.flushed();
    if (facts.length < factsRead) return exitStatus.done;
  }
}

async function exportTable(
  table: ExportTable,
  { options, settings, json, terminal, logger }: CommandContext,
): Promise<number> {
  const format = json ? "ndjson" : formatOf(options, ["csv", "ndjson"]);
  const range = rangeOf(options);
  const { csvLine, exportColumns, looksLikeFormula } = await import("@fetch-image/engine");
  await using opened = await openAudit(settings, logger);
  const columns = exportColumns[table];
  if (format === "csv") terminal.out(csvLine(columns));
  let changed = 0;
  const line = (row: ExportRow): string => {
    if (format === "ndjson") return `${JSON.stringify(row)}\n`;
    changed += Object.values(row).filter((value) => looksLikeFormula(String(value))).length;
    return csvLine(columns.map((column) => row[column]));
  };
  for await (const rows of opened.audit.export(table, range)) {
    terminal.out(rows.map(line).join(""));
    // Whoever reads slowly is waited for.
    await terminal.flushed();
  }
  const dropped = table === "versions" ? undefined : await opened.stores.readModel.droppedBefore();
  if (dropped !== undefined && (range.since === undefined || range.since < dropped)) terminal.err(droppedNote(dropped));
  if (changed > 0) {
    const fields = changed === 1 ? "1 field begins" : `${changed} fields begin`;
    terminal.err(`${fields} as a formula does and got an apostrophe in front; --format ndjson changes nothing\n`);
  }
  return exitStatus.done;
}

function formatOf(options: GivenOptions, known: readonly string[]): string {
  const [first = ""] = known;
  const format = options.text("format") ?? first;
  if (known.includes(format)) return format;
  throw usage(`--format ${showText(format)} is none of ${known.join(", ")}`);
}

function tableOf(name: string): ExportTable {
  if (name === "builds" || name === "images" || name === "versions") return name;
  throw usage(`--table ${showText(name)} is none of builds, images, versions`);
}

function subjectOf(text: string): { readonly name: string; readonly sha256: string } {
  const [, name = "", sha256 = ""] = /^(.+)=sha256:([0-9a-f]{64})$/.exec(text) ?? [];
  if (name !== "") return { name, sha256 };
  throw usage(`--subject ${showText(text)} is not of the form NAME=sha256: and 64 lower-case hex digits`);
}

function usage(message: string): FetchImageError {
  return new FetchImageError("FI_USAGE", { message, hint: "See `fetch-image export --help`." });
}
