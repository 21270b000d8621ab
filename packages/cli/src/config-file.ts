import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { didYouMean, FetchImageError, showText } from "@fetch-image/core/basics";
import { errnoOf } from "./errno.ts";
import { settings, settingKeys, settingName, type SettingKey } from "./settings.ts";

const configFileName = "fetch-image.config.yaml";

export interface ConfigFile {
  /** Absolute. */
  readonly path: string;
  readonly values: ReadonlyMap<SettingKey, string>;
}

/**
 * Reads `given`, or `fetch-image.config.yaml` of the working directory where there is one. Throws `FI_SETTING_INVALID`
 * for a file that was named and is not there, for what is no YAML map, and for keys that are no settings.
 */
export async function readConfigFile(cwd: string, given: string | undefined): Promise<ConfigFile | undefined> {
  const path = resolve(cwd, given ?? configFileName);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const code = errnoOf(error);
    if (given === undefined && code === "ENOENT") return undefined;
    throw new FetchImageError("FI_SETTING_INVALID", {
      message: `the config file ${showText(given ?? configFileName)} cannot be read (${code ?? "unknown"})`,
      hint: "Check the path that --config or FETCH_IMAGE_CONFIG names, and its permissions.",
    });
  }
  return { path, values: await parseConfig(text, given ?? configFileName) };
}

async function parseConfig(text: string, file: string): Promise<ReadonlyMap<SettingKey, string>> {
  const { isMap, isNode, isScalar, LineCounter, parseDocument } = await import("yaml");
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineOf = (node: { range?: readonly number[] | null | undefined }) => lines.linePos(node.range?.[0] ?? 0).line;
  const [fault] = document.errors;
  if (fault !== undefined) throw invalid(file, lines.linePos(fault.pos[0]).line, `it is not YAML: ${fault.message}`);
  const values = new Map<SettingKey, string>();
  if (document.contents === null) return values;
  if (!isMap(document.contents)) throw invalid(file, 1, "it must be a map of settings");
  for (const { key, value } of document.contents.items) {
    const name = isScalar(key) ? String(key.value) : "";
    const line = isNode(key) ? lineOf(key) : 1;
    const setting = settingKeys.find((candidate) => settingName(candidate) === name);
    if (setting === undefined) throw unknownKey(file, line, name);
    const text = textOf(isNode(value) ? value.toJSON() : undefined, settings[setting].kind.list === true);
    if (text === undefined) throw invalid(file, line, `${name} must be ${settings[setting].kind.wants}`);
    values.set(setting, text);
  }
  return values;
}

/** A setting as its text: a list is joined by commas, a map becomes `key=value` items. */
function textOf(value: unknown, isList: boolean): string | undefined {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return String(value);
  if (!isList || typeof value !== "object" || value === null) return undefined;
  const items = Array.isArray(value) ? value : Object.entries(value).map(([key, item]) => `${key}=${innerText(item)}`);
  return items.every((item) => typeof item === "string") ? items.join(",") : undefined;
}

/** A map within a map becomes `key:value` items. */
function innerText(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return String(value);
  return Object.entries(value)
    .map(([key, item]) => `${key}:${String(item)}`)
    .join(";");
}

function unknownKey(file: string, line: number, name: string): FetchImageError {
  const meant = didYouMean(name, settingKeys.map(settingName));
  return new FetchImageError("FI_SETTING_INVALID", {
    message: `${file}, line ${line}: ${showText(name)} is no setting`,
    hint: meant === undefined ? "`fetch-image config` lists the settings." : `Did you mean ${meant}?`,
    details: { file, line },
  });
}

function invalid(file: string, line: number, problem: string): FetchImageError {
  return new FetchImageError("FI_SETTING_INVALID", {
    message: `${file}, line ${line}: ${problem}`,
    hint: "Write one setting a line, such as `check-interval: 1m`; `fetch-image config` lists them.",
    details: { file, line },
  });
}
