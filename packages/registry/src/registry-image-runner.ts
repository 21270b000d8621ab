import {
  type ArtifactStore,
  type CheckPlan,
  type CheckPlanBody,
  FetchImageError,
  type GetPlan,
  type GetPlanBody,
  isDigest,
  parseRegistryImageSource,
  type RegistryImageSource,
  type Rejected,
  type StepContext,
  type StepRunner,
  type Version,
} from "@fetch-image/core/registry-image";
import { getImage, type GotImage, type ImageGet, imageGet } from "./get/get-image.ts";
import { createImageDirectories } from "./get/image-directories.ts";
import { createPermits } from "./get/permits.ts";
import type { OciRegistry } from "./image-registry.ts";
import { unsupported } from "./locate.ts";
import { platformText } from "./platform.ts";
import type { ArtifactProgress } from "./pull-progress.ts";
import type { StoredImage } from "./stored-image.ts";
import type { UnpackLimits } from "./unpack/limits.ts";

export interface RegistryImageRunnerOptions {
  readonly registry: Pick<OciRegistry, "check" | "exists" | "fetchImage" | "identity" | "repositoryOf">;
  readonly store: ArtifactStore;
  /** Where what gets have made is kept, one directory for each; made when absent. Several processes may share it. */
  readonly directory: string;
  /** Where unpacking stops, instead of at `defaultUnpackLimits`. */
  readonly unpackLimits?: Partial<UnpackLimits>;
}

/**
 * Runs the check and the get of a `registry-image` in this process, without a container: the check finds the versions
 * from `from_version` on, as `ImageRegistry.check` does; the get fills a directory as the resource does, by the params'
 * `format`, and gives its path as the artifact's handle. A get that was done before is not done again; the registry is
 * asked by a HEAD whether this source may have the bytes, unless it gave them to the same source within the hour. Other types
 * reject with `FI_STEP_RUNNER_MISSING`; fields that cannot be answered faithfully with `FI_SOURCE_UNSUPPORTED` naming the field.
 * Rejects otherwise as `OciRegistry` does.
 */
export function createRegistryImageRunner(options: RegistryImageRunnerOptions): StepRunner {
  const { registry, store, directory, unpackLimits: limits } = options;
  const directories = createImageDirectories(directory);
  const permits = createPermits(`${directory}-permits`);
  return {
    async check({ check }: CheckPlan, { signal, output }: StepContext) {
      const source = sourceOf(check);
      const { repository, tag } = source;
      await output(`checking ${repository}${tag === undefined ? "" : `:${tag}`}\n`, "stderr");
      const { versions, rejected, via, host } = await registry.check(source, { cursor: check.from_version, signal });
      const newest = versions.at(-1);
      if (newest) await output(`${newest.tag} is ${newest.digest} (${via} at ${host})\n`, "stderr");
      else await output(nothingFound(source, rejected), "stderr");
      return versions.map((version) => ({ ...version }));
    },

    async get({ get }: GetPlan, { signal, output }: StepContext) {
      const { source, version, params } = { ...get, source: sourceOf(get) };
      if (!isDigest(version?.["digest"] ?? "")) throw noDigest(source, version);
      const wanted = imageGet(source, version ?? {}, params);
      if (wanted.skipDownload) {
        throw unsupported("params.skip_download", "without its bytes there is no image in the artifact");
      }
      await output(`fetching ${source.repository}@${wanted.digest}\n`, "stderr");
      let fetched: GotImage | undefined;
      const fill = async (filled: string) => {
        const onProgress = progressLines((line) => void output(line, "stderr"));
        fetched = await getImage(wanted, filled, { registry, store, signal, onProgress, ...(limits && { limits }) });
      };
      const handle = await directories.of(wanted, fill, { signal });
      const asker = { source, configured: registry.identity?.(source), digest: wanted.digest };
      if (fetched !== undefined || !(await permits.has(asker))) {
        if (fetched === undefined && !(await registry.exists(source, wanted.digest, { signal }))) throw gone(wanted);
        await permits.grant(asker);
      }
      await output(`${fetched?.image ? sizesOf(fetched.image) : "here already, from another get"}\n`, "stderr");
      return { handle };
    },
  };
}

function noDigest({ repository }: RegistryImageSource, version: Version | undefined): FetchImageError {
  return new FetchImageError("FI_NO_VERSION", {
    message: `the version of ${repository} to get has no digest`,
    hint: "Pin it as {tag, digest}; an artifact is fetched by its digest only.",
    details: { repository, tag: version?.["tag"] },
  });
}

// Who may have the bytes is the registry's to say: what another one's credentials have brought is not everybody's.
function gone({ source: { repository }, digest }: ImageGet): FetchImageError {
  return new FetchImageError("FI_IMAGE_UNKNOWN", {
    message: `the registry has no ${repository}@${digest} for whoever asks with these credentials`,
    details: { repository, digest },
  });
}

function sizesOf({ image, bytes, downloadedBytes }: StoredImage): string {
  return `${platformText(image.platform)}: ${megabytes(bytes)}, ${megabytes(downloadedBytes)} downloaded`;
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
