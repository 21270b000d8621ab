import type { Command } from "../command.ts";
import type { EffectiveSettings } from "../effective-settings.ts";
import { exitStatus } from "../exit-status.ts";
import { type SettingKey, settingKeys, settingName, showSetting } from "../settings.ts";
import { createStyle } from "../style.ts";
import { table } from "../table.ts";

export const command: Command = {
  usage: "[--json]",
  about: `Lists the effective settings and where each came from. Flags come before FETCH_IMAGE_… variables, those before
fetch-image.config.yaml, that before the defaults.`,
  positionals: { min: 0, max: 0 },
  options: [],
  settings: settingKeys,
  examples: ["fetch-image config", "fetch-image config --check-interval 5m --json"],
  async run({ settings: effective, json, terminal }) {
    if (json) {
      terminal.out(`${JSON.stringify({ file: effective.file ?? null, settings: settingKeys.map(rowOf) })}\n`);
      return exitStatus.done;
    }
    const style = createStyle(terminal.outColor);
    const rows = settingKeys.map(rowOf).map(({ name, value, from, where }) => {
      const changed = from !== "default";
      const shown = value === null || value === "" ? "-" : value;
      return [name, changed ? style.strong(shown) : shown, changed ? `${from}: ${where}` : style.quiet(from)];
    });
    terminal.out(table([["SETTING", "VALUE", "FROM"].map(style.quiet), ...rows]));
    terminal.err(`\nconfig file: ${effective.file ?? "none"}\n`);
    return exitStatus.done;

    function rowOf(key: SettingKey) {
      const { from, where } = effective.origins[key];
      return { name: settingName(key), value: shownValue(key, effective), from, ...(where === "" ? {} : { where }) };
    }
  },
};

/** As it could be written, what is secret cut; null for none. */
function shownValue(key: SettingKey, { values }: EffectiveSettings): string | null {
  const value = values[key];
  return value === undefined ? null : showSetting(key, value);
}
