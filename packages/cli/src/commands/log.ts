import {
  buildStream,
  followBuildLog,
  decodeBuildFact,
  FetchImageError,
  renderBuildLog,
  showText,
} from "@fetch-image/core";
import { buildFacts } from "../build-history.ts";
import type { Command, CommandContext } from "../command.ts";
import { openStores, type Stores } from "../open-stores.ts";
import { exitStatus } from "../exit-status.ts";
import { verifyLog } from "../log/verify-log.ts";
import { storeSettings } from "../setting-groups.ts";

export const command: Command = {
  usage: "BUILD [--format text|concourse] [--follow] [--verify]",
  about: `Prints the log of a build, rebuilt from the facts of its stream alone: the same bytes on any machine, at any time.
Times are UTC. Works beside a running \`fetch-image run\`. \`--format concourse\` is the event stream that Concourse's own
clients read, byte for byte as \`fetch-image serve\` gives it.`,
  positionals: { min: 1, max: 1 },
  options: [
    {
      name: "format",
      value: "text|concourse",
      does: "for people, grouped by step (the default), or for Concourse's clients",
    },
    {
      name: "follow",
      does: "go on with what comes, until the build has ended; the text then has its lines as they come",
    },
    { name: "verify", does: "render the log and compare it with the hash that was kept when the build ended" },
  ],
  settings: storeSettings,
  examples: [
    "fetch-image log 1",
    "fetch-image log 1 --follow --format concourse",
    "fetch-image log 1 --verify --database-url postgres://ci@db/ci",
  ],
  async run(context) {
    const { positionals, options, settings, logger, json, terminal } = context;
    const [build = ""] = positionals;
    const format = formatOf(options.text("format"));
    const [follow, verify] = [options.on("follow"), options.on("verify")];
    if (follow && json) throw usage("--json gives one document, and a log that is followed has no end yet");
    if (verify && (follow || format !== "text")) throw usage("--verify prints no log: leave --follow and --format out");
    await using stores = await openStores(settings, { access: "read", logger });
    // An unknown build is refused before anything is printed.
    const facts = follow ? [] : await buildFacts(stores, build);
    if (follow) await buildFacts(stores, build, { limit: 1 });
    if (verify) return await verifyLog(build, { ...context, stores });
    if (format === "concourse") return await printStream(build, { ...context, stores, follow });
    if (follow) return await followText(build, { ...context, stores });
    const log = renderBuildLog(facts, { color: !json && terminal.outColor });
    terminal.out(json ? `${JSON.stringify({ build, log })}\n` : log);
    return exitStatus.done;
  },
};

type Reading = CommandContext & { readonly stores: Stores };

async function printStream(
  build: string,
  { stores, terminal, json, signal, logger, follow }: Reading & { readonly follow: boolean },
) {
  const { createLogSource } = await import("@fetch-image/inspector");
  const source = createLogSource({ eventLog: stores.eventLog, logger });
  let log = "";
  for await (const { text } of source.chunks(build, { follow, signal })) {
    if (json) log += text;
    else if (text !== "") terminal.out(text);
    // A terminal that is slower than the store holds the log back, and not memory.
    await terminal.flushed();
  }
  if (json) terminal.out(`${JSON.stringify({ build, log })}\n`);
  return signal.aborted ? exitStatus.interrupted : exitStatus.done;
}

async function followText(build: string, { stores, terminal, signal }: Reading) {
  const follower = followBuildLog({ color: terminal.outColor });
  for await (const message of stores.eventLog.subscribe({ filter: { stream: buildStream(build) }, signal })) {
    if (message.kind !== "fact") continue;
    terminal.out(follower.next(decodeBuildFact(message.fact).fact));
    if (follower.ended !== null) return exitStatus.done;
  }
  return signal.aborted ? exitStatus.interrupted : exitStatus.done;
}

function formatOf(text = "text"): "text" | "concourse" {
  if (text === "text" || text === "concourse") return text;
  throw usage(`--format ${showText(text)} is neither text nor concourse`);
}

function usage(message: string): FetchImageError {
  return new FetchImageError("FI_USAGE", { message });
}
