import { type BuildImageRow, explainImage, FetchImageError, renderExplanation, showText } from "@fetch-image/core";
import { buildImages, stepNames } from "../build-history.ts";
import type { Command } from "../command.ts";
import { openStores } from "../compose.ts";
import { exitStatus } from "../exit-status.ts";
import { storeSettings } from "../setting-groups.ts";
import { createStyle } from "../style.ts";
import { table } from "../table.ts";

export const command: Command = {
  usage: "BUILD [PLAN]",
  about: `Tells how the digest of an image was chosen: the candidates in order, each with its reason, and the evidence.
PLAN is the id of a step's plan, or of its image's get plan; without it, the plans of the build are listed.`,
  positionals: { min: 1, max: 2 },
  options: [],
  settings: storeSettings,
  examples: ["fetch-image why 1", "fetch-image why 1 2/image-get"],
  async run({ positionals: [build = "", plan], settings, json, terminal, logger }) {
    await using stores = await openStores(settings, { access: "read", logger });
    const images = await buildImages(stores, build);
    const color = terminal.outColor;
    if (plan === undefined) {
      terminal.out(
        json ? images.map((row) => line(summary(row))).join("") : list(images, await stepNames(stores, build), color),
      );
      return exitStatus.done;
    }
    const found = imagesOfPlan(images, plan);
    if (found.length === 0) throw planUnknown(images, build, plan);
    if (json) terminal.out(found.map((row) => line(explanation(row))).join(""));
    else terminal.out(found.map((row) => renderExplanation(row, { color })).join("\n"));
    return exitStatus.done;
  },
};

/** A plan's own image; where it has none, the images below it. */
function imagesOfPlan(images: readonly BuildImageRow[], plan: string): readonly BuildImageRow[] {
  const wanted = plan.replace(/\/image-check$/, "/image-get");
  const own = images.filter(({ fetchId, planId }) => fetchId === wanted || planId === wanted);
  return own.length > 0 ? own : images.filter(({ fetchId }) => fetchId.startsWith(`${wanted}/`));
}

function summary({ buildId, fetchId, planId, name, type, state, reference, via }: BuildImageRow) {
  return { build: buildId, plan: planId, fetch: fetchId, name, type, state, reference, via };
}

function explanation(row: BuildImageRow) {
  const { chosen, because, pinned, candidates, evidence = [] } = explainImage(row) ?? {};
  const { version, imageURL, artifact, failure, requestedAt, endedAt } = row;
  return {
    ...summary(row),
    version,
    chosen,
    because,
    pinned,
    candidates,
    evidence: Object.fromEntries(evidence.map(({ name, value }) => [name, value])),
    imageURL,
    artifact,
    failure,
    requestedAt,
    endedAt,
  };
}

function list(images: readonly BuildImageRow[], steps: ReadonlyMap<string, string>, color: boolean): string {
  const { quiet } = createStyle(color);
  if (images.length === 0) return "the build requested no image\n";
  const rows = images.map(({ planId, fetchId, name = "", via = "", state = "", reference, artifact }) => {
    const plan = planId ?? fetchId;
    const step = steps.get(plan.split("/")[0] ?? "") ?? "";
    return [plan, step, name, state, via, reference ?? artifact ?? ""];
  });
  return table([["PLAN", "STEP", "IMAGE OF", "STATE", "HOW", "IMAGE"].map(quiet), ...rows]);
}

function planUnknown(images: readonly BuildImageRow[], build: string, plan: string): FetchImageError {
  const plans = [...new Set(images.map(({ planId, fetchId }) => planId ?? fetchId))];
  return new FetchImageError("FI_PLAN_UNKNOWN", {
    message: `build ${build} fetched no image for plan ${showText(plan)}`,
    hint: plans.length === 0 ? "The build fetched no image at all." : `It did for these plans: ${plans.join(", ")}.`,
    details: { build, plans },
  });
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}
