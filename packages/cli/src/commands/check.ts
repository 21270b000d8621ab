import type { RegistryImageSource } from "@fetch-image/core";
import type { Command } from "../command.ts";
import { openRegistry } from "../open-engine.ts";
import { exitStatus } from "../exit-status.ts";
import { checkableSourceOf, nativeOnly } from "../resource/registry-image.ts";
import { type ResourceCall, runResource } from "../resource/resource-command.ts";
import { logSettings, registrySettings } from "../setting-groups.ts";

export const command: Command = {
  usage: "< PAYLOAD",
  about: `Finds the versions of an image, in place of /opt/resource/check of Concourse's registry-image resource: reads
{"source":{…},"version":{…}|null} from standard input and prints [{"tag","digest"},…], oldest first. Every source field
means what it means there. Opens no store and keeps nothing.`,
  // Concourse gives none; scripts around the resource may.
  positionals: { min: 0, max: 100 },
  options: [],
  settings: [...registrySettings, ...logSettings],
  examples: [
    `fetch-image check <<< '{"source":{"repository":"busybox","tag":"1.36"}}'`,
    `fetch-image check < payload.json`,
  ],
  run: (context) =>
    runResource(context, ["source", "version"], async ({ payload, logger, say }) => {
      const source = await nativeOnly(checkableSourceOf(payload.source));
      say(`checking ${nameOf(source)}`);
      await using registry = await openRegistry(context.settings, logger);
      const { versions, rejected, via, host, requests } = await nativeOnly(
        registry.check(source, { cursor: payload.version, signal: context.signal }),
      );
      const newest = versions.at(-1);
      if (newest === undefined) sayNothingFound(source, rejected, say);
      else {
        const more = versions.length === 1 ? "" : `, the last of ${versions.length} versions`;
        say(`${newest.tag} is ${newest.digest} (${via} at ${host}${more})`);
      }
      logger.debug("checked", { requests, versions: versions.length });
      context.terminal.out(`${JSON.stringify(versions.map(({ tag, digest }) => ({ tag, digest })))}\n`);
      return exitStatus.done;
    }),
};

function nameOf({ repository, tag }: RegistryImageSource): string {
  return tag === undefined ? repository : `${repository}:${tag}`;
}

const mostReasons = 5;

function sayNothingFound(
  { repository, tag }: RegistryImageSource,
  rejected: readonly { readonly candidate: string; readonly reason: string }[],
  say: ResourceCall["say"],
): void {
  if (tag !== undefined) return say(`${repository} has no tag ${tag}`);
  say(`${repository} has no version`);
  for (const { candidate, reason } of rejected.slice(0, mostReasons)) say(`  not ${candidate}: ${reason}`);
  const more = rejected.length - mostReasons;
  if (more > 0) say(`  and ${more} more`);
}
