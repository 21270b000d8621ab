import { parseReference } from "@fetch-image/core/basics";
import type { Command } from "../command.ts";
import { exitStatus } from "../exit-status.ts";

export const command: Command = {
  usage: "REFERENCE",
  about: `Takes an image reference apart by the distribution grammar: domain, path, tag and digest as they are meant, the
short form that Docker shows (familiar), and the fully qualified one (canonical). Asks nobody.`,
  positionals: { min: 1, max: 1 },
  options: [],
  settings: [],
  examples: ["fetch-image ref busybox", "fetch-image ref registry.example.com/my-resource:v1.2 --json"],
  async run({ positionals: [text = ""], json, terminal }) {
    const parsed = parseReference(text);
    if (!parsed.ok) throw parsed.error;
    const { domain, path, tag, digest, familiar, canonical } = parsed.reference;
    const parts = {
      domain,
      path,
      ...(tag === undefined ? {} : { tag }),
      ...(digest === undefined ? {} : { digest }),
      familiar,
      canonical,
    };
    if (json) terminal.out(`${JSON.stringify(parts)}\n`);
    else for (const [name, value] of Object.entries(parts)) terminal.out(`${name.padEnd(9)}  ${value}\n`);
    return exitStatus.done;
  },
};
