import { didYouMean, FetchImageError, showText } from "@fetch-image/core/basics";
import { commonOptions, parseArguments } from "./arguments.ts";
import type { Command, CommandContext, Stdin } from "./command.ts";
import { type CommandEntry, commandTable } from "./command-table.ts";
import { defaultSettings, effectiveSettings } from "./effective-settings.ts";
import { exitStatus, exitStatusOf } from "./exit-status.ts";
import { showCommandHelp, showHelp } from "./help.ts";
import { createLogger } from "./logger.ts";
import { mapTexts } from "./json.ts";
import { createSecrets } from "./secrets.ts";
import { asFetchImageError, errorJson, showError } from "./show-error.ts";
import type { Terminal } from "./terminal.ts";
import { version } from "./version.ts";

export interface Host {
  readonly terminal: Terminal;
  readonly env: { readonly [name: string]: string | undefined };
  readonly cwd: string;
  readonly stdin: () => Stdin;
  readonly signal: AbortSignal;
}

/** Runs one command line; gives its exit status. Never throws. */
export async function main(args: readonly string[], host: Host): Promise<number> {
  const { terminal } = host;
  const secrets = createSecrets();
  const json = wantsJson(args);
  try {
    return await dispatch(args, host, { json, secrets });
  } catch (thrown) {
    terminal.progress("");
    const error = asFetchImageError(thrown);
    const redact = (text: string) => secrets.redact(text);
    if (json) terminal.out(`${JSON.stringify(mapTexts(errorJson(error), redact))}\n`);
    else terminal.err(redact(showError(error, { color: terminal.errColor })));
    return host.signal.aborted ? exitStatus.interrupted : exitStatusOf(error.code);
  }
}

async function dispatch(
  args: readonly string[],
  host: Host,
  { json, secrets }: Pick<CommandContext, "json" | "secrets">,
): Promise<number> {
  const { terminal, env, cwd, stdin, signal } = host;
  const [first, ...rest] = args;
  switch (first) {
    case undefined:
      terminal.err(showHelp({ color: terminal.errColor }));
      return exitStatus.wrongInput;
    case "--version":
      terminal.out(`${version()}\n`);
      return exitStatus.done;
    case "--help":
    case "-h":
    case "help":
      return await help(rest, terminal);
  }
  const entry = find(first);
  const { command } = await entry.load();
  const { positionals, options, settingFlags } = parseArguments(entry.name, command, rest);
  if (options.on("help")) return printHelp(entry.name, command, terminal);

  const configFile = options.text("config");
  const settings =
    command.settings.length === 0
      ? defaultSettings()
      : await effectiveSettings({ flags: settingFlags, env, cwd, configFile });
  const { logLevel: level, logFormat: format } = settings.values;
  const redact = (text: string) => secrets.redact(text);
  const logger = createLogger({ level, format, redact, write: (line) => terminal.err(line) });
  const context = { positionals, options, settings, json, terminal, logger, secrets, stdin, signal, cwd, env };
  return await command.run(context);
}

async function help([name]: readonly string[], terminal: Terminal): Promise<number> {
  if (name === undefined || name.startsWith("-")) {
    terminal.out(showHelp({ color: terminal.outColor }));
    return exitStatus.done;
  }
  const { command } = await find(name).load();
  return printHelp(name, command, terminal);
}

function printHelp(name: string, command: Command, terminal: Terminal): number {
  terminal.out(showCommandHelp(name, command, { color: terminal.outColor }));
  return exitStatus.done;
}

function find(name: string): CommandEntry {
  const entry = commandTable.find((candidate) => candidate.name === name);
  if (entry !== undefined) return entry;
  if (commonOptions.some((option) => name === `--${option.name}`)) {
    throw new FetchImageError("FI_USAGE", {
      message: `${name} stands before the command`,
      hint: `Write \`fetch-image COMMAND ${name}\`.`,
    });
  }
  const meant = didYouMean(
    name,
    commandTable.map((candidate) => candidate.name),
  );
  throw new FetchImageError("FI_USAGE", {
    message: `${showText(name)} is no command of fetch-image`,
    hint: meant === undefined ? "`fetch-image --help` lists them." : `Did you mean \`fetch-image ${meant}\`?`,
  });
}

/** Asked before the arguments are read, so that what is wrong with them is told in the form that was asked for. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end === -1 ? undefined : end).includes("--json");
}
