import {
  type BuildFactData,
  buildStream,
  decodeBuildFact,
  type EventLog,
  renderExplanation,
  renderRan,
} from "@fetch-image/core";
import type { AuditImage } from "@fetch-image/engine";
import { openAudit } from "../audit/open-audit.ts";
import type { Command } from "../command.ts";
import { exitStatus } from "../exit-status.ts";
import { storeSettings } from "../setting-groups.ts";
import { createStyle } from "../style.ts";
import { table } from "../table.ts";

export const command: Command = {
  usage: "BUILD [PLAN]",
  about: `Tells how the digest of an image was chosen: the candidates in order, each with its reason, and the evidence.
PLAN is the id of a step's plan, or of its image's get plan; without it, the plans of the build are listed. Works when the
build's log is gone.`,
  positionals: { min: 1, max: 2 },
  options: [],
  settings: storeSettings,
  examples: ["fetch-image why 1", "fetch-image why 1 2/image-get"],
  async run({ positionals: [build = "", plan], settings, json, terminal, logger }) {
    await using opened = await openAudit(settings, logger);
    const { audit, stores } = opened;
    const color = terminal.outColor;
    if (plan === undefined) {
      const images = await audit.images(build);
      terminal.out(json ? images.map(line).join("") : list(images, color));
      return exitStatus.done;
    }
    const reasons = await audit.why(build, plan);
    const ran = await whatRan(stores.eventLog, build);
    const ranOf = (fetch: string) => ran.filter(({ fetchId }) => fetchId === fetch);
    if (json) {
      const lines = reasons.map((reason) => {
        const told = ranOf(reason.fetch).map(({ fetchId: _fetch, ...data }) => data);
        return line(told.length === 0 ? reason : { ...reason, ran: told });
      });
      terminal.out(lines.join(""));
    } else {
      const asked = new Set(reasons.map(({ fetch }) => fetch));
      const rows = (await stores.readModel.imagesOfBuild(build)).filter(({ fetchId }) => asked.has(fetchId));
      const shown = rows.map((row) => {
        const told = renderRan(ranOf(row.fetchId), { color });
        return `${renderExplanation(row, { color })}${told === "" ? "" : `\n${told}`}`;
      });
      terminal.out(shown.join("\n"));
    }
    return exitStatus.done;
  },
};

/** Nothing where the build's log is gone. */
async function whatRan(eventLog: EventLog, build: string): Promise<readonly BuildFactData<"ImageRan">[]> {
  const facts = await eventLog.read(buildStream(build));
  return facts.flatMap((recorded) => {
    const decoded = decodeBuildFact(recorded);
    return decoded.known && decoded.fact.type === "ImageRan" ? [decoded.fact.data] : [];
  });
}

function list(images: readonly AuditImage[], color: boolean): string {
  const { quiet } = createStyle(color);
  if (images.length === 0) return "the build requested no image\n";
  const rows = images.map(
    ({ plan, kind = "", step = "", resourceType = "image", via = "", state = "", image, artifact }) => {
      return [plan, `${kind} ${step}`.trim(), resourceType, state, via, image ?? artifact ?? ""];
    },
  );
  return table([["PLAN", "STEP", "IMAGE OF", "STATE", "HOW", "IMAGE"].map(quiet), ...rows]);
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}
