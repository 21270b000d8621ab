import {
  FetchImageError,
  formatReference,
  parseReference,
  type ScopeRow,
  type VersionRow,
  visible,
} from "@fetch-image/core";
import type { Command } from "../command.ts";
import { openStores, projectToHead } from "../compose.ts";
import { exitStatus } from "../exit-status.ts";
import { isMap } from "../json.ts";
import { storeSettings } from "../setting-groups.ts";
import { createStyle } from "../style.ts";
import { table } from "../table.ts";

export const command: Command = {
  usage: "REFERENCE",
  about: `Lists the versions that were observed of an image, the current one last: one history for each tag and each set of
credentials. Without a tag, those of all tags. What was never asked for has no history.`,
  positionals: { min: 1, max: 1 },
  options: [],
  settings: storeSettings,
  examples: ["fetch-image versions busybox:1.36", "fetch-image versions registry.example.com/my-resource --json"],
  async run({ positionals: [text = ""], settings, json, terminal, logger }) {
    const parsed = parseReference(text);
    if (!parsed.ok) throw parsed.error;
    const { domain, path, tag, digest } = parsed.reference;
    if (digest !== undefined) throw digestGiven(text);
    const repository = formatReference({ domain, path });

    await using stores = await openStores(settings, { access: "read", logger });
    await projectToHead(stores, logger);
    const scopes = await stores.readModel.scopes({ repository, ...(tag === undefined ? {} : { tag }) });
    const histories = await Promise.all(
      scopes.map(async (scope) => ({ scope, versions: await stores.readModel.versions(scope.scope) })),
    );
    if (json) {
      for (const { scope, versions } of histories) {
        for (const version of versions) terminal.out(`${JSON.stringify(rowJson(scope, version, versions))}\n`);
      }
      return exitStatus.done;
    }
    if (histories.length === 0) {
      terminal.err(`${repository}${tag === undefined ? "" : `:${tag}`} was never asked for in ${stores.where}\n`);
      return exitStatus.done;
    }
    terminal.out(histories.map((history) => showHistory(history, terminal.outColor)).join("\n"));
    return exitStatus.done;
  },
};

interface History {
  readonly scope: ScopeRow;
  readonly versions: readonly VersionRow[];
}

function rowJson(scope: ScopeRow, version: VersionRow, versions: readonly VersionRow[]) {
  const { tag, digest, firstObservedAt, lastObservedAt } = version;
  return {
    scope: scope.scope,
    type: scope.type,
    repository: scope.repository,
    tag,
    digest,
    firstObservedAt,
    lastObservedAt,
    current: version === versions.at(-1),
    lastCheckedAt: scope.lastCheckedAt,
    lastFailure: failureOf(scope),
  };
}

function showHistory({ scope, versions }: History, color: boolean): string {
  const { strong, quiet, good, bad } = createStyle(color);
  const { tag, lastCheckedAt } = scope;
  const title = `${strong(titleOf(scope))}  ${quiet(`last checked ${lastCheckedAt ?? "never"}`)}\n`;
  const rows = versions.map((version) => [
    ...(tag === undefined ? [`  ${version.tag}`, version.digest] : [`  ${version.digest}`]),
    version.firstObservedAt ?? "",
    version.lastObservedAt ?? "",
    version === versions.at(-1) ? good("current") : "",
  ]);
  const names = tag === undefined ? ["  TAG", "DIGEST"] : ["  DIGEST"];
  const head = [...names, "FIRST OBSERVED", "LAST OBSERVED", ""].map(quiet);
  const why = failureOf(scope);
  const failed = why === undefined ? "" : `  ${bad(`the last check failed: ${visible(why)}`)}\n`;
  return `${title}${versions.length === 0 ? "  no version was observed yet\n" : table([head, ...rows])}${failed}`;
}

/** What is asked for: a tag, or the rule by which a tag is chosen. */
function titleOf({ repository = "", tag, source }: ScopeRow): string {
  if (tag !== undefined) return `${repository}:${tag}`;
  const pattern = source?.["tag_regex"];
  if (typeof pattern === "string") return visible(`${repository} (newest tag that matches ${pattern})`);
  const constraint = source?.["semver_constraint"];
  return visible(`${repository} (newest version tag${typeof constraint === "string" ? `, ${constraint}` : ""})`);
}

/** Why the last check failed, where it is the last one that did. */
function failureOf({ lastCheckedAt, lastFailure }: ScopeRow): string | undefined {
  if (lastFailure === undefined || lastFailure["at"] !== lastCheckedAt) return undefined;
  const failure = lastFailure["failure"];
  const message = isMap(failure) ? failure["message"] : undefined;
  return typeof message === "string" ? message : undefined;
}

function digestGiven(text: string): FetchImageError {
  return new FetchImageError("FI_USAGE", {
    message: `${text} names a digest, which has no history`,
    hint: "Give the reference without @sha256:….",
  });
}
