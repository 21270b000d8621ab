import { commonOptions } from "./arguments.ts";
import type { Command, Option } from "./command.ts";
import { commandTable } from "./command-table.ts";
import { defaultOf, flagOf, type SettingKey, settings } from "./settings.ts";
import { createStyle } from "./style.ts";

interface HelpOptions {
  readonly color: boolean;
}

/** `fetch-image --help` */
export function showHelp({ color }: HelpOptions): string {
  const { strong } = createStyle(color);
  const groups = [...new Set(commandTable.map(({ group }) => group))];
  const width = Math.max(...commandTable.map((entry) => callOf(entry).length));
  const blocks = groups.map((group) =>
    [
      strong(group),
      ...commandTable
        .filter((entry) => entry.group === group)
        .map((entry) => `  ${callOf(entry).padEnd(width)}  ${entry.summary}`),
    ].join("\n"),
  );
  return `${[
    "fetch-image resolves the images of CI build steps to repo:tag@sha256:… without downloading them,\nand keeps every step of it as a fact.",
    `${strong("Usage")}\n  fetch-image COMMAND [OPTION]…`,
    ...blocks,
    "`fetch-image COMMAND --help` tells more. Settings are flags, FETCH_IMAGE_… variables or lines of\nfetch-image.config.yaml: see `fetch-image config`.",
  ].join("\n\n")}\n`;
}

/** `fetch-image COMMAND --help` */
export function showCommandHelp(name: string, command: Command, { color }: HelpOptions): string {
  const { strong } = createStyle(color);
  const own = [...command.options, ...commonOptions].map(optionRow);
  const flags = command.settings.map(settingRow);
  const width = Math.max(...[...own, ...flags].map(([left]) => left.length));
  const rows = (all: readonly Row[]) => all.map((row) => showRow(row, width)).join("\n");
  const blocks = [
    `${strong("Usage")}\n  fetch-image ${name} ${command.usage}`.trimEnd(),
    command.about,
    `${strong("Options")}\n${rows(own)}`,
    ...(flags.length === 0 ? [] : [`${strong("Settings")}\n${rows(flags)}`]),
    ...(command.examples.length === 0
      ? []
      : [`${strong("Examples")}\n${command.examples.map((example) => `  ${example}`).join("\n")}`]),
  ];
  return `${blocks.join("\n\n")}\n`;
}

const widest = 110;

function showRow([left, right]: Row, width: number): string {
  const margin = " ".repeat(width + 4);
  const lines: string[] = [];
  for (const word of right.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && margin.length + last.length + 1 + word.length <= widest)
      lines.push(`${lines.pop()} ${word}`);
    else lines.push(word);
  }
  return `  ${left.padEnd(width)}  ${lines.join(`\n${margin}`)}`;
}

type Row = readonly [left: string, right: string];

function optionRow({ name, value, repeatable, does }: Option): Row {
  return [`--${name}${value === undefined ? "" : ` ${value}`}`, `${does}${repeatable === true ? "; repeatable" : ""}`];
}

function settingRow(key: SettingKey): Row {
  const { kind, does } = settings[key];
  const standard = defaultOf(key);
  const notes = [...(kind.list === true ? ["repeatable"] : []), ...(standard === "" ? [] : [`default ${standard}`])];
  return [
    `--${flagOf(key)} ${kind.placeholder}`,
    `${does.replaceAll("`", "")}${notes.length === 0 ? "" : ` (${notes.join(", ")})`}`,
  ];
}

function callOf({ name, arguments: rest }: { readonly name: string; readonly arguments: string }): string {
  return `${name} ${rest}`.trimEnd();
}
