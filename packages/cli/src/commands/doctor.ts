import type { Command } from "../command.ts";
import type { Finding } from "../doctor/finding.ts";
import { registryFindings } from "../doctor/registries.ts";
import { environmentFinding, nodeFinding, settingsFinding } from "../doctor/settings.ts";
import { storeFindings } from "../doctor/store.ts";
import { exitStatus } from "../exit-status.ts";
import { varOptions } from "../pipeline-file.ts";
import { registrySettings, storeSettings } from "../setting-groups.ts";
import { createStyle, type Style } from "../style.ts";

export const command: Command = {
  usage: "[REFERENCE|PIPELINE.yml]…",
  about: `Checks what fetch-image needs, and says what to do about what is wrong: this Node, the settings, the store. With
references, asks their registries for them; with pipelines, asks for every image of their jobs, with the credentials that
they give. Stores nothing. The exit status is 1 where something is wrong.`,
  positionals: { min: 0, max: 100 },
  options: [{ name: "job", value: "JOB", does: "only this job of the pipelines" }, ...varOptions],
  settings: [...storeSettings, ...registrySettings, "checkInterval", "baseTypes", "credentialKey"],
  examples: [
    "fetch-image doctor",
    "fetch-image doctor registry.example.com/acme/app:1.2 ci.yml --load-vars-from vars.yml",
  ],
  async run(context) {
    const { positionals, json, terminal, secrets } = context;
    const style = createStyle(terminal.outColor);
    let wrong = false;
    const tell = (finding: Finding) => {
      wrong ||= finding.is === "problem";
      // What is found well quotes nothing; a problem may.
      const { says, fix } = finding;
      const cut = {
        ...finding,
        says: secrets.redact(says),
        ...(fix === undefined ? {} : { fix: secrets.redact(fix) }),
      };
      const told = finding.is === "problem" ? cut : finding;
      terminal.out(json ? `${JSON.stringify(told)}\n` : show(told, style));
    };
    tell(nodeFinding());
    tell(settingsFinding(context));
    for (const finding of environmentFinding(context.env)) tell(finding);
    for (const finding of await storeFindings(context)) tell(finding);
    for (const target of positionals) {
      for (const finding of await registryFindings(target, context)) tell(finding);
    }
    return wrong ? exitStatus.failed : exitStatus.done;
  },
};

function show({ is, what, says, fix }: Finding, style: Style): string {
  const marks = { ok: style.good("ok     "), warning: style.warning("warning"), problem: style.bad("problem") };
  return `${marks[is]}  ${style.strong(what)}: ${says}\n${fix === undefined ? "" : `           fix: ${fix}\n`}`;
}
