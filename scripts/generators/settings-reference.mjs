// docs/settings.md: the table of packages/cli as a page.
import {
  defaultOf,
  environmentOf,
  flagOf,
  settingKeys,
  settingName,
  settings,
} from "../../packages/cli/dist/settings.js";

export const path = "docs/settings.md";

export function make() {
  const rows = settingKeys.map((key) => {
    const { kind, does } = settings[key];
    const standard = defaultOf(key);
    return [
      code(settingName(key)),
      code(`--${flagOf(key)} ${kind.placeholder}`),
      environmentOf(key).map(code).join(", "),
      standard === "" ? "none" : code(standard),
      sentence(does),
    ];
  });
  return `# Settings

<!-- Generated from packages/cli/src/settings.ts by \`pnpm generate\`. Change it there. -->

Flags come before the environment, that before \`fetch-image.config.yaml\` of the working directory (or the file that
\`--config\` or \`FETCH_IMAGE_CONFIG\` names), that before the defaults. \`fetch-image config\` lists the effective settings
and where each came from; a command takes the flags of the settings that bear on it.

| Setting | Flag | Environment | Default | What it does |
| --- | --- | --- | --- | --- |
${rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}

- Durations are written as Go writes them: \`500ms\`, \`30s\`, \`1m\`, \`1h30m\`. Sizes are bytes, or \`64KiB\`, \`4MiB\`, \`1GiB\`.
- A flag of a list may be given again and again; the environment separates items by commas; the file has a list, or a map
  for pairs.
- A relative path is meant from the working directory; in the file, from where the file is.
- Proxies are those of the environment: \`HTTPS_PROXY\`, \`HTTP_PROXY\` and \`NO_PROXY\`, in either case.
- \`NO_COLOR\` switches colours off, \`FORCE_COLOR\` on; without either, there are colours on a terminal.

\`\`\`yaml
# fetch-image.config.yaml
check-interval: 5m
database-url: postgres://ci@db.internal/ci
base-types:
  git: registry.example.com/git-resource:v2
allowed-realms:
  - https://auth.internal:8443
\`\`\`

An unknown key is refused by name, with its line.
`;
}

const code = (text) => `\`${text.replaceAll("|", "\\|")}\``;
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
