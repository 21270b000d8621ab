import { parseArgs } from "node:util";
import { didYouMean, FetchImageError, showText } from "@fetch-image/core/basics";
import type { Command, GivenOptions, Option } from "./command.ts";
import { flagOf, settings } from "./settings.ts";

export interface GivenArguments {
  readonly positionals: readonly string[];
  readonly options: GivenOptions;
  /** Of settings, by flag; repeated ones joined by commas. */
  readonly settingFlags: ReadonlyMap<string, string>;
}

/** Options of every command. */
export const commonOptions: readonly Option[] = [
  { name: "json", does: "print JSON: one document, or one a line where there are several results" },
  { name: "config", value: "FILE", does: "read settings from FILE instead of fetch-image.config.yaml" },
  { name: "help", does: "print this help" },
];

/** Throws `FI_USAGE` naming the argument. */
export function parseArguments(name: string, command: Command, args: readonly string[]): GivenArguments {
  const accepted = acceptedOptions(command);
  const { tokens } = parseArgs({
    args: [...args],
    // What is not accepted is refused below, in our own words.
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      accepted.map(({ name, value }) => [
        name,
        {
          type: value === undefined ? ("boolean" as const) : ("string" as const),
          // The one short form, since hands type it by themselves.
          ...(name === "help" ? { short: "h" } : {}),
        },
      ]),
    ),
  });
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const option = accepted.find((candidate) => candidate.name === token.name);
    if (option === undefined) throw unknownOption(name, token.rawName, accepted);
    const given = values.get(option.name) ?? [];
    values.set(option.name, [...given, valueOf(option, token)]);
  }
  if (values.has("help")) return given(command, values, positionals);
  const { min, max } = command.positionals;
  if (positionals.length < min) throw usage(name, command, `${missing(command, positionals.length)} is missing`);
  if (positionals.length > max) {
    throw usage(name, command, `${showText(positionals[max] ?? "")} is one argument too many`);
  }
  return given(command, values, positionals);
}

function acceptedOptions(command: Command): readonly Option[] {
  const flags = command.settings.map((key): Option => {
    const { kind, does } = settings[key];
    return { name: flagOf(key), value: kind.placeholder, does };
  });
  return [...command.options, ...flags, ...commonOptions];
}

interface OptionToken {
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function valueOf({ value: placeholder }: Option, { rawName, value, inlineValue }: OptionToken): string {
  if (placeholder === undefined) {
    if (value === undefined) return "";
    throw new FetchImageError("FI_USAGE", {
      message: `${rawName} takes no value`,
      hint: `Write ${rawName} alone.`,
    });
  }
  // `--job --json` forgot the job; `--job=--json` means it.
  if (value !== undefined && (inlineValue === true || !/^-./.test(value))) return value;
  throw new FetchImageError("FI_USAGE", {
    message: `${rawName} needs a value`,
    hint: `Write ${rawName} ${placeholder}${value === undefined ? "" : `, or ${rawName}=${value} if you mean it`}.`,
  });
}

function given(
  { settings: keys }: Command,
  values: ReadonlyMap<string, readonly string[]>,
  positionals: readonly string[],
): GivenArguments {
  const settingFlags = new Map<string, string>();
  for (const key of keys) {
    const texts = values.get(flagOf(key));
    const text = settings[key].kind.list === true ? texts?.join(",") : texts?.at(-1);
    if (text !== undefined) settingFlags.set(flagOf(key), text);
  }
  return {
    positionals,
    settingFlags,
    options: {
      on: (name) => values.has(name),
      text: (name) => values.get(name)?.at(-1),
      list: (name) => values.get(name) ?? [],
    },
  };
}

function unknownOption(name: string, written: string, accepted: readonly Option[]): FetchImageError {
  const known = accepted.map((option) => option.name);
  const meant = didYouMean(written.replace(/^-+/, ""), known);
  return new FetchImageError("FI_USAGE", {
    message: `${showText(written)} is no option of fetch-image ${name}`,
    hint: meant === undefined ? `\`fetch-image ${name} --help\` lists them.` : `Did you mean --${meant}?`,
  });
}

function missing({ usage: text }: Command, position: number): string {
  return text.split(" ")[position] ?? "an argument";
}

function usage(name: string, command: Command, problem: string): FetchImageError {
  return new FetchImageError("FI_USAGE", {
    message: `fetch-image ${name}: ${problem}`,
    hint: `Usage: fetch-image ${name} ${command.usage}`,
  });
}
