import { didYouMean } from "@fetch-image/core";
import type { CommandContext } from "../command.ts";
import { environmentOf, settingKeys, settingName } from "../settings.ts";
import type { Finding } from "./finding.ts";

const oldestNode = "20.18.1";

export function nodeFinding(): Finding {
  const { node } = process.versions;
  const says = `${node} on ${process.platform}/${process.arch}`;
  if (node.localeCompare(oldestNode, "en", { numeric: true }) >= 0) return { is: "ok", what: "node", says };
  return { is: "problem", what: "node", says, fix: `Install Node ${oldestNode} or newer.` };
}

export function settingsFinding({ settings }: Pick<CommandContext, "settings">): Finding {
  const changed = settingKeys.filter((key) => settings.origins[key].from !== "default").map(settingName);
  const file = settings.file === undefined ? "no config file" : settings.file;
  const says = changed.length === 0 ? `${file}, all defaults` : `${file}; not the default: ${changed.join(", ")}`;
  return { is: "ok", what: "settings", says };
}

/** Variables that look like settings and are none do nothing, silently. */
export function environmentFinding(env: CommandContext["env"]): readonly Finding[] {
  const known = ["FETCH_IMAGE_CONFIG", ...settingKeys.flatMap(environmentOf)];
  return Object.keys(env)
    .filter((name) => name.startsWith("FETCH_IMAGE_") && !known.includes(name))
    .map((name) => {
      const meant = didYouMean(name, known);
      const fix = meant === undefined ? "Unset it; `fetch-image config` lists the settings." : `Did you mean ${meant}?`;
      return { is: "warning", what: "environment", says: `${name} is no setting, so it does nothing`, fix };
    });
}
