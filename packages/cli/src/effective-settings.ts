import { dirname, resolve } from "node:path";
import { FetchImageError, showText } from "@fetch-image/core/basics";
import { type ConfigFile, readConfigFile } from "./config-file.ts";
import { secret, type SettingKind } from "./setting-kinds.ts";
import { environmentOf, flagOf, forSettings, type SettingKey, settings, type Settings } from "./settings.ts";

interface Origin {
  readonly from: "flag" | "env" | "file" | "default";
  /** `--check-interval`, `FETCH_IMAGE_CHECK_INTERVAL`, the config file's path; empty for a default. */
  readonly where: string;
}

export interface EffectiveSettings {
  readonly values: Settings;
  readonly origins: { readonly [Key in SettingKey]: Origin };
  /** Absolute path of the config file; undefined where there is none. */
  readonly file: string | undefined;
}

export interface SettingSources {
  /** By flag, without dashes; repeated flags joined by commas. */
  readonly flags: ReadonlyMap<string, string>;
  readonly env: { readonly [name: string]: string | undefined };
  readonly cwd: string;
  /** What `--config` says. */
  readonly configFile: string | undefined;
}

/** Flags come before the environment, that before the config file, that before the defaults. Throws `FI_SETTING_INVALID`. */
export async function effectiveSettings(sources: SettingSources): Promise<EffectiveSettings> {
  const { cwd, env, configFile } = sources;
  const file = await readConfigFile(cwd, configFile ?? nonEmpty(env["FETCH_IMAGE_CONFIG"]));
  const all = forSettings<{ readonly [Key in SettingKey]: Effective }>((key) => effective(key, sources, file));
  return {
    values: forSettings<Settings>((key) => all[key].value),
    origins: forSettings<EffectiveSettings["origins"]>((key) => all[key].origin),
    file: file?.path,
  };
}

interface Effective {
  readonly value: Settings[SettingKey];
  readonly origin: Origin;
}

function effective(key: SettingKey, { flags, env, cwd }: SettingSources, file: ConfigFile | undefined): Effective {
  const setting: {
    readonly kind: Pick<SettingKind<Settings[SettingKey]>, "parse">;
    readonly default: Settings[SettingKey];
  } = settings[key];
  const read = (text: string, origin: Origin): Effective => {
    const value = setting.kind.parse(text);
    if (value === undefined) throw invalid(key, text, origin);
    // A path in the file is meant from where the file is.
    const base = origin.from === "file" && file !== undefined ? dirname(file.path) : cwd;
    const isPath = key === "data" || key === "opaCa" || (key === "dockerConfig" && typeof value === "string");
    return { value: isPath ? resolve(base, String(value)) : value, origin };
  };

  const flag = flags.get(flagOf(key));
  if (flag !== undefined) return read(flag, { from: "flag", where: `--${flagOf(key)}` });
  for (const name of environmentOf(key)) {
    const text = nonEmpty(env[name]);
    if (text !== undefined) return read(text, { from: "env", where: name });
  }
  const text = file?.values.get(key);
  if (file !== undefined && text !== undefined) return read(text, { from: "file", where: file.path });
  const origin = { from: "default", where: "" } as const;
  return { value: key === "data" ? resolve(cwd, settings.data.default) : setting.default, origin };
}

// A variable set to nothing is one that is not set, as shells have it.
function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

function invalid(key: SettingKey, text: string, { from, where }: Origin): FetchImageError {
  // A connection string that is malformed cannot be cut, and a secret that is too short is one: nothing of it is shown.
  const isSecret = key === "databaseUrl" || settings[key].kind === secret;
  const shown = isSecret ? "what is there" : showText(text);
  return new FetchImageError("FI_SETTING_INVALID", {
    message: `${where}${from === "file" ? `: ${flagOf(key)}` : ""} must be ${settings[key].kind.wants}, not ${shown}`,
    details: { setting: flagOf(key) },
  });
}

/** The defaults alone, for commands that no setting bears on: a broken config file does not stop them. */
export function defaultSettings(): EffectiveSettings {
  return {
    values: forSettings<Settings>((key) => settings[key].default),
    origins: forSettings<EffectiveSettings["origins"]>(() => ({ from: "default", where: "" })),
    file: undefined,
  };
}
