import { setMaxListeners } from "node:events";
import { FetchImageError, type ImageSpec, imageURL, referenceOfImageURL } from "@fetch-image/core";
import type { Build } from "@fetch-image/engine";
import { type BaseTypeOverrides, resolveBaseResourceType } from "@fetch-image/kubernetes";
import { asFetchImageError } from "../show-error.ts";
import type { Wanted } from "./images.ts";
import type { ImageRow } from "./rows.ts";

export interface FetchImagesOptions {
  readonly build: Build;
  readonly baseTypes: BaseTypeOverrides;
  /** Before the images of base types that are not overridden. */
  readonly baseTypePrefix: string | undefined;
  readonly secrets: readonly string[];
  /** Whether a kubelet pulls what tasks run in. */
  readonly native: boolean;
  /** At most so many at the same time. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
  /** Each as it is known. */
  readonly onRow: (row: ImageRow) => void;
}

/**
 * Fetches every image, as many at the same time as may be, begun in the order given. One that fails does not stop the
 * others; once the signal aborts, no more are begun.
 */
export async function fetchImages(all: readonly Wanted[], options: FetchImagesOptions): Promise<void> {
  const { concurrency, signal, onRow } = options;
  // Every fetch listens; that is no leak.
  setMaxListeners(0, signal);
  const left = [...all];
  const work = async () => {
    for (let next = left.shift(); next !== undefined && !signal.aborted; next = left.shift()) {
      onRow(await rowOf(next, options));
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, all.length) }, work));
}

async function rowOf(wanted: Wanted, options: FetchImagesOptions): Promise<ImageRow> {
  if (wanted.how === "fetch") return await fetched(wanted, options);
  if (wanted.how === "built") return await built(wanted, options);
  if (wanted.how === "base-type") return baseType(wanted, options);
  if (wanted.how === "later") return { wanted, state: "deferred", because: wanted.because, ms: 0 };
  const image = referenceOfImageURL(wanted.uri);
  const reference = image === undefined ? {} : { image, imageURL: wanted.uri };
  return { wanted, ...reference, via: "rootfs", state: "resolved", ms: 0 };
}

function baseType(
  wanted: Extract<Wanted, { how: "base-type" }>,
  { baseTypes, baseTypePrefix: prefix }: FetchImagesOptions,
): ImageRow {
  const reference = resolveBaseResourceType(wanted.baseType, baseTypes, { prefix });
  if (reference === undefined) {
    // The pipeline was checked against the same table.
    throw new FetchImageError("FI_INTERNAL", { message: `base type ${wanted.baseType} has no image in the table` });
  }
  const { canonical: image, tag, digest } = reference;
  const version = {
    ...(tag === undefined && digest !== undefined ? {} : { tag: tag ?? "latest" }),
    ...(digest && { digest }),
  };
  return { wanted, image, imageURL: imageURL(image), version, via: "base-type", state: "resolved", ms: 0 };
}

async function fetched(
  wanted: Extract<Wanted, { how: "fetch" }>,
  { build, secrets, signal, native }: FetchImagesOptions,
): Promise<ImageRow> {
  const { getPlan, checkPlan, privileged, announce, artifact } = wanted;
  const started = performance.now();
  const ms = () => Math.round(performance.now() - started);
  try {
    const spec = await build.fetchImage({
      getPlan,
      ...(checkPlan === undefined ? {} : { checkPlan }),
      privileged,
      announce,
      artifact: artifact !== undefined,
      secrets,
      signal,
    });
    const from = { fetchId: getPlan.id };
    const run =
      artifact === undefined || !native
        ? {}
        : await build.resolveArtifactImage({ planId: wanted.plan, artifact, from, privileged, signal });
    return { wanted, ...known(build, getPlan.id), ...imageOf({ ...spec, ...run }), ms: ms() };
  } catch (thrown) {
    const error = asFetchImageError(thrown);
    return { wanted, ...known(build, getPlan.id), ms: ms(), error };
  }
}

/** On Kubernetes it is pushed, and pulled from there; elsewhere it is run as it lies. */
async function built(
  wanted: Extract<Wanted, { how: "built" }>,
  { build, native, signal }: FetchImagesOptions,
): Promise<ImageRow> {
  const { plan: planId, artifact, directory, privileged } = wanted;
  if (!native) return { wanted, artifact: directory, via: "artifact", state: "resolved", ms: 0 };
  const started = performance.now();
  const ms = () => Math.round(performance.now() - started);
  const from = { handle: directory };
  try {
    const spec = await build.resolveArtifactImage({ planId, artifact, from, privileged, signal });
    return { wanted, ...imageOf(spec), artifact: directory, via: "push", state: "resolved", ms: ms() };
  } catch (thrown) {
    return { wanted, state: "failed", ms: ms(), error: asFetchImageError(thrown) };
  }
}

function imageOf({ imageURL: url, imageArtifact }: ImageSpec): Pick<ImageRow, "imageURL" | "image" | "artifact"> {
  const image = url === undefined ? undefined : referenceOfImageURL(url);
  return {
    ...(url === undefined ? {} : { imageURL: url }),
    ...(image === undefined ? {} : { image }),
    ...(imageArtifact === undefined ? {} : { artifact: imageArtifact.handle }),
  };
}

/** What the build knows of the fetch, whether it ended well or not; one that was refused outright has failed. */
function known(build: Build, fetchId: string): Pick<ImageRow, "image" | "version" | "via" | "state"> {
  const { state = "failed", reference, version, via } = build.fetches().find((one) => one.fetchId === fetchId) ?? {};
  return {
    ...(reference === undefined ? {} : { image: reference }),
    ...(version === undefined ? {} : { version }),
    ...(via === undefined ? {} : { via }),
    state,
  };
}
