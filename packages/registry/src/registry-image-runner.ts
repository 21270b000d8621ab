import {
  type ArtifactStore,
  type CheckPlan,
  type CheckPlanBody,
  type Digest,
  FetchImageError,
  type GetPlan,
  type GetPlanBody,
  isDigest,
  type JsonObject,
  parseRegistryImageSource,
  type RegistryImageSource,
  type Rejected,
  type StepContext,
  type StepRunner,
  type Version,
} from "@fetch-image/core";
import type { OciRegistry } from "./image-registry.ts";
import { isJsonBody } from "./json-body.ts";
import { unsupported } from "./locate.ts";
import { platformText, type WantedPlatform } from "./platform.ts";
import type { ArtifactProgress } from "./pull-progress.ts";

export interface RegistryImageRunnerOptions {
  readonly registry: OciRegistry;
  readonly store: ArtifactStore;
}

/**
 * Runs the check and the get of a `registry-image` in this process, without a container: the check finds the versions
 * from `from_version` on, as `ImageRegistry.check` does, the get makes an OCI image layout whose directory is the artifact's handle. Other types reject with
 * `FI_STEP_RUNNER_MISSING`; fields that cannot be answered faithfully with `FI_SOURCE_UNSUPPORTED` naming the field.
 * Rejects otherwise as `OciRegistry` does.
 */
export function createRegistryImageRunner({ registry, store }: RegistryImageRunnerOptions): StepRunner {
  return {
    async check({ check }: CheckPlan, { signal, output }: StepContext) {
      const source = sourceOf(check);
      const { repository, tag } = source;
      output(`checking ${repository}${tag === undefined ? "" : `:${tag}`}\n`, "stderr");
      const { versions, rejected, via, host } = await registry.check(source, { cursor: check.from_version, signal });
      const newest = versions.at(-1);
      if (newest) output(`${newest.tag} is ${newest.digest} (${via} at ${host})\n`, "stderr");
      else output(nothingFound(source, rejected), "stderr");
      return versions.map((version) => ({ ...version }));
    },

    async get({ get }: GetPlan, { signal, output }: StepContext) {
      const source = sourceOf(get);
      const digest = digestIn(get.version);
      if (!digest) throw noDigest(source, get.version);
      if (get.params?.["skip_download"] === true) {
        throw unsupported("params.skip_download", "without its bytes there is no artifact");
      }
      const platform = wantedPlatform(source, get.params);
      output(`fetching ${source.repository}@${digest}\n`, "stderr");
      const artifact = await registry.fetchArtifact(source, digest, {
        store,
        signal,
        ...(platform ? { platform } : {}),
        onProgress: progressLines((line) => output(line, "stderr")),
      });
      output(
        `${platformText(artifact.platform)}: ${megabytes(artifact.bytes)}, ` +
          `${megabytes(artifact.downloadedBytes)} downloaded\n`,
        "stderr",
      );
      return { handle: artifact.directory };
    },
  };
}

function sourceOf({ name, type, source }: CheckPlanBody | GetPlanBody): RegistryImageSource {
  if (type !== "registry-image") {
    throw new FetchImageError("FI_STEP_RUNNER_MISSING", {
      message: `${name} is of type ${type}, and only registry-image runs without a container`,
      hint: "Give createFetchImageEngine a stepRunner that runs steps of other types.",
      details: { name, type },
    });
  }
  const parsed = parseRegistryImageSource(source);
  if (!parsed.ok) throw parsed.error;
  return parsed.source;
}

function nothingFound({ repository, tag }: RegistryImageSource, rejected: readonly Rejected[]): string {
  if (tag !== undefined) return `${repository} has no tag ${tag}\n`;
  const why = rejected.map(({ candidate, reason }) => `not ${candidate}: ${reason}\n`);
  return [`${repository} has no version\n`, ...why].join("");
}

function digestIn(version: Version | undefined): Digest | undefined {
  const digest = version?.["digest"];
  return digest !== undefined && isDigest(digest) ? digest : undefined;
}

function noDigest({ repository }: RegistryImageSource, version: Version | undefined): FetchImageError {
  const tag = version?.["tag"];
  return new FetchImageError("FI_NO_VERSION", {
    message: `the version of ${repository} to get has no digest`,
    hint: "Pin it as {tag, digest}; an artifact is fetched by its digest only.",
    details: { repository, tag },
  });
}

// As the resource has it, a platform among the params replaces the source's whole.
function wantedPlatform(source: RegistryImageSource, params: JsonObject | undefined): WantedPlatform | undefined {
  const given = params?.["platform"];
  if (!isJsonBody(given)) return source.platform;
  const { os, architecture } = given;
  return {
    ...(typeof os === "string" && os !== "" ? { os } : {}),
    ...(typeof architecture === "string" && architecture !== "" ? { architecture } : {}),
  };
}

/** A line per quarter of the way: enough to see that it moves, few enough for a log that is kept. */
function progressLines(write: (line: string) => void): (progress: ArtifactProgress) => void {
  let quarter = 0;
  return ({ receivedBytes, totalBytes, blobsDone, blobsTotal }) => {
    const reached = totalBytes === 0 ? 4 : Math.floor((4 * receivedBytes) / totalBytes);
    if (reached <= quarter || (reached === 4 && blobsDone < blobsTotal)) return;
    quarter = reached;
    write(`${megabytes(receivedBytes)} of ${megabytes(totalBytes)}, ${blobsDone} of ${blobsTotal} blobs\n`);
  };
}

function megabytes(bytes: number): string {
  return bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
