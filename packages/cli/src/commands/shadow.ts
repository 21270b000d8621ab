import { FetchImageError, type ShadowRule, showText } from "@fetch-image/core";
import { moment } from "../audit/options.ts";
import type { Command, CommandContext, GivenOptions } from "../command.ts";
import { openStores } from "../open-stores.ts";
import { exitStatus } from "../exit-status.ts";
import { duration } from "../setting-kinds.ts";
import { fetchSettings, registrySettings, storeSettings } from "../setting-groups.ts";
import { compareLines } from "../shadow/compare-lines.ts";

/** Those of fetches that a shadow does not make. */
const unused: ReadonlySet<string> = new Set(["runtime", "baseTypes"]);

export const command: Command = {
  usage: "report [--since TIME] [--until TIME] | compare < LINES",
  about: `Resolves images beside a scheduler that fetches them another way, and tells whether it may be switched. compare
reads one JSON document a line from standard input,
{"build":{"id"},"getPlan":{"id","get":{"name","type","source"}},"checkPlan"?,"actual":{"digest"|"version"|"reference"|"failure","observedAt"?,"at"?,"requests"?,"ms"?}};
{"source":{…},"actual":{…}} will do for a registry-image. Each is resolved now, compared, and kept with what explains a
difference: so feed lines as fetches end, from \`tail -f\` say. report adds up what was kept: what stands in the way of a
switch first. No build counts as having run what was only compared.`,
  positionals: { min: 1, max: 1 },
  options: [
    {
      name: "since",
      value: "TIME",
      does: "from TIME on: 2026-11-22T04:40:00Z, a day (UTC), or 24h for so long ago; default 7 days ago",
    },
    { name: "until", value: "TIME", does: "up to TIME" },
    { name: "comparisons", value: "NUMBER", does: "how many a switch wants; default 1000" },
    { name: "period", value: "DURATION", does: "over how long a time; default 168h" },
  ],
  settings: [...storeSettings, ...fetchSettings.filter((key) => !unused.has(key)), ...registrySettings],
  examples: [
    "fetch-image shadow compare < fetches.ndjson",
    "fetch-image shadow report --since 168h",
    "fetch-image shadow report --comparisons 200 --period 24h --json",
  ],
  async run(context) {
    const [action = ""] = context.positionals;
    if (action === "compare") return await compareLines(context);
    if (action === "report") return await report(context);
    throw new FetchImageError("FI_USAGE", {
      message: `${showText(action)} is nothing that shadow can do`,
      hint: "Write `fetch-image shadow report`, or `fetch-image shadow compare < LINES`.",
    });
  },
};

async function report({ settings, options, terminal, json, logger }: CommandContext): Promise<number> {
  const now = Date.now();
  const [sinceText, untilText] = [options.text("since"), options.text("until")];
  const since = sinceText === undefined ? now - weekMs : momentOf(sinceText, "since");
  const until = untilText === undefined ? now + 1 : momentOf(untilText, "until");
  const rule = ruleOf(options);
  await using stores = await openStores(settings, { access: "read", logger });
  const [{ shadowReport }, { renderShadowReport }] = await Promise.all([
    import("@fetch-image/engine"),
    import("@fetch-image/core"),
  ]);
  const found = await shadowReport(stores.eventLog, { since, until, rule });
  terminal.out(json ? `${JSON.stringify(found)}\n` : renderShadowReport(found));
  return exitStatus.done;
}

function momentOf(text: string, name: string): number {
  const at = Date.parse(moment(text));
  if (Number.isNaN(at)) throw wrong(name, text, "a time, a day, or a duration such as 24h");
  return at;
}

const weekMs = 7 * 86_400_000;

function ruleOf(options: GivenOptions): ShadowRule {
  const comparisons = options.text("comparisons") ?? "1000";
  const period = options.text("period") ?? "168h";
  const periodMs = duration.parse(period);
  if (!/^\d{1,9}$/.test(comparisons)) throw wrong("comparisons", comparisons, "a whole number");
  if (periodMs === undefined) throw wrong("period", period, duration.wants);
  return { comparisons: Number(comparisons), periodMs };
}

function wrong(name: string, text: string, wants: string): FetchImageError {
  return new FetchImageError("FI_USAGE", { message: `--${name} is ${showText(text)}, and must be ${wants}` });
}
