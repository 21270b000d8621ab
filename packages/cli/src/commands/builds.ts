import { FetchImageError } from "@fetch-image/core";
import type { AuditImage } from "@fetch-image/engine";
import { openAudit } from "../audit/open-audit.ts";
import { limitOf, limitOption, rangeOf, rangeOptions } from "../audit/options.ts";
import { printPages } from "../audit/print-rows.ts";
import type { Command } from "../command.ts";
import { exitStatus } from "../exit-status.ts";
import { storeSettings } from "../setting-groups.ts";

export const command: Command = {
  usage: "--digest DIGEST | --ref REFERENCE [--since TIME] [--until TIME]",
  about: `Lists every build that ran a digest, or any digest of a reference: an image of a build a line, the newest first, by
when it was requested. The digest is the one that was resolved: an index's, where the tag is one.`,
  positionals: { min: 0, max: 0 },
  options: [
    { name: "digest", value: "DIGEST", does: "sha256:… that was run" },
    { name: "ref", value: "REFERENCE", does: "a repository, a tag of it, or a digest of it" },
    ...rangeOptions,
    { name: "all", does: "those too whose fetch failed or was aborted, so that nothing ran" },
    limitOption,
  ],
  settings: storeSettings,
  examples: [
    "fetch-image builds --digest sha256:0a71d2737c1763a42dff48ef22f8c4a6c408c7e400b2b812f4f8c767c569177b",
    "fetch-image builds --ref golang:1.22 --since 2026-11-01 --until 2026-11-22T12:00:00Z --json",
  ],
  async run({ options, settings, json, terminal, logger }) {
    const [digest, reference] = [options.text("digest"), options.text("ref")];
    if (digest === undefined && reference === undefined) {
      throw new FetchImageError("FI_USAGE", {
        message: "neither --digest nor --ref is given",
        hint: "Write `fetch-image builds --digest sha256:…`, or `--ref REFERENCE`.",
      });
    }
    const question = {
      ...(digest === undefined ? {} : { digest }),
      ...(reference === undefined ? {} : { reference }),
      ...rangeOf(options),
      all: options.on("all"),
    };
    const limit = limitOf(options);
    await using opened = await openAudit(settings, logger);
    const { audit, stores } = opened;
    const ask = (page: { readonly limit: number; readonly page?: string }) => audit.builds({ ...question, ...page });
    const count = await printPages(ask, { head, cells }, { terminal, json, limit });
    if (count === 0 && !json) terminal.err(`no build in ${stores.where} ran it\n`);
    return exitStatus.done;
  },
};

const head = ["BUILD", "JOB", "STEP", "REQUESTED", "STATE", "HOW", "IMAGE"];

function cells({ build, team, pipeline, job, kind = "", step = "", resourceType, ...image }: AuditImage) {
  const of = [team, pipeline, job].filter((part) => part !== undefined).join("/");
  const type = resourceType === undefined ? "" : `${kind === "" ? "" : ": "}type ${resourceType}`;
  const { requestedAt = "", state = "", via = "" } = image;
  return [build, of, `${kind} ${step}`.trim() + type, requestedAt, state, via, image.image ?? image.digest ?? ""];
}
