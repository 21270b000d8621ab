import { renderBuildLog } from "@fetch-image/core";
import { buildFacts } from "../build-history.ts";
import type { Command } from "../command.ts";
import { openStores } from "../compose.ts";
import { exitStatus } from "../exit-status.ts";
import { storeSettings } from "../setting-groups.ts";

export const command: Command = {
  usage: "BUILD",
  about: `Prints the log of a build, rebuilt from the facts of its stream alone: the same bytes on any machine, at any time.
Times are UTC. Works beside a running \`fetch-image run\`.`,
  positionals: { min: 1, max: 1 },
  options: [],
  settings: storeSettings,
  examples: ["fetch-image log 1", "fetch-image log 1 --database-url postgres://ci@db/ci"],
  async run({ positionals: [build = ""], settings, json, terminal, logger }) {
    await using stores = await openStores(settings, { access: "read", logger });
    const log = renderBuildLog(await buildFacts(stores, build), { color: !json && terminal.outColor });
    terminal.out(json ? `${JSON.stringify({ build, log })}\n` : log);
    return exitStatus.done;
  },
};
