import { FetchImageError, showText } from "@fetch-image/core";
import type { Counts, Pruned } from "@fetch-image/store/filesystem";
import { artifactPlaces } from "../artifact-places.ts";
import { keepRules } from "../artifacts/keep-rules.ts";
import type { Command, CommandContext } from "../command.ts";
import { exitStatus } from "../exit-status.ts";
import { size } from "../progress/size-text.ts";
import { logSettings } from "../setting-groups.ts";

export const command: Command = {
  usage: "[prune --keep AGE|SIZE|DIGEST…]",
  about: `Tells what the data directory holds of images' bytes; with prune, removes what is not kept. --keep 7d keeps what
was used in the last seven days, --keep 20GB what was used last and fits into 20 GB, --keep sha256:… that image; several
keep what any of them keeps. What was used in the last hour stays: a fetch may be about to use it. Safe beside other
processes that fetch.`,
  positionals: { min: 0, max: 1 },
  options: [
    { name: "keep", value: "AGE|SIZE|DIGEST", repeatable: true, does: "what to keep; for prune, at least one" },
    { name: "dry-run", does: "tell what prune would remove, and remove nothing" },
  ],
  settings: ["data", ...logSettings],
  examples: [
    "fetch-image artifacts",
    "fetch-image artifacts prune --keep 7d --keep 20GB",
    "fetch-image artifacts prune --keep 0s --dry-run --json",
  ],
  async run(context) {
    const { positionals, options } = context;
    const [action] = positionals;
    if (action !== undefined && action !== "prune") throw unknownAction(action);
    const keep = options.list("keep");
    if (action === undefined) {
      if (keep.length > 0 || options.on("dry-run")) throw onlyForPrune();
      return await tell(context);
    }
    if (keep.length === 0) throw nothingKept();
    return await prune(context);
  },
};

async function tell({ settings, json, terminal }: CommandContext): Promise<number> {
  const { store, gets } = artifactPlaces(settings.values.data);
  const { pruneArtifacts } = await import("@fetch-image/store/filesystem");
  const keep = { usedWithinMs: Number.POSITIVE_INFINITY };
  const { kept, keptBytes } = await pruneArtifacts({ directory: store, folders: [gets], keep, dryRun: true });
  if (json) terminal.out(`${JSON.stringify({ directory: store, ...kept, bytes: keptBytes })}\n`);
  else {
    terminal.out(`${store}: ${size(keptBytes)}, ${inWords(kept)}\n`);
    terminal.err("fetch-image artifacts prune --keep 7d: remove what was not used for seven days.\n");
  }
  return exitStatus.done;
}

async function prune({ options, settings, json, terminal }: CommandContext): Promise<number> {
  const { store, gets } = artifactPlaces(settings.values.data);
  const keep = keepRules(options.list("keep"));
  const dryRun = options.on("dry-run");
  const { pruneArtifacts } = await import("@fetch-image/store/filesystem");
  const pruned = await pruneArtifacts({ directory: store, folders: [gets], keep, dryRun });
  terminal.out(json ? `${JSON.stringify({ directory: store, dryRun, ...pruned })}\n` : show(pruned, dryRun));
  return exitStatus.done;
}

function show({ removed, removedBytes, kept, keptBytes }: Pruned, dryRun: boolean): string {
  const [removes, frees, keeps] = dryRun ? ["would remove", "free", "would keep"] : ["removed", "freed", "kept"];
  return (
    `${removes} ${inWords(removed)}, and ${frees} ${size(removedBytes)}\n` +
    `${keeps} ${inWords(kept)}: ${size(keptBytes)}\n`
  );
}

function inWords({ blobs, layouts, partials }: Counts): string {
  const parts = [count(blobs, "blob", "blobs"), count(layouts, "artifact", "artifacts")];
  if (partials > 0) parts.push(count(partials, "interrupted download", "interrupted downloads"));
  return parts.join(", ");
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

function unknownAction(action: string): FetchImageError {
  return new FetchImageError("FI_USAGE", {
    message: `${showText(action)} is nothing that artifacts can do`,
    hint: "Write `fetch-image artifacts`, or `fetch-image artifacts prune --keep 7d`.",
  });
}

function onlyForPrune(): FetchImageError {
  return new FetchImageError("FI_USAGE", {
    message: "--keep and --dry-run are for prune",
    hint: "Write `fetch-image artifacts prune --keep 7d --dry-run`.",
  });
}

function nothingKept(): FetchImageError {
  return new FetchImageError("FI_USAGE", {
    message: "prune is not told what to keep",
    hint: "Write --keep 7d, --keep 20GB or --keep sha256:…; --keep 0s keeps nothing but what is in use.",
  });
}
