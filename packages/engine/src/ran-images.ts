import {
  type BuildFact,
  buildFactToStore,
  type CancelSignal,
  compareRan,
  type Digest,
  FetchImageError,
  type FetchState,
  type ImageRegistry,
  parseRegistryImageSource,
  type RanVerdict,
  ranKey,
  type RegistryImageSource,
} from "@fetch-image/core/fetching";
import type { BuildContext } from "./build-context.ts";
import { codeOf } from "./failure.ts";

/** What a container runtime says that it runs. */
export interface RanImageReport {
  /** The id of the get plan of the image that the container was to run. */
  readonly fetchId: string;
  /** The container status's `imageID`, as the API server gives it. */
  readonly imageID: string;
  /** The pod's name, for whoever reads the fact. */
  readonly pod?: string;
}

export interface RanImagesOptions extends Pick<
  BuildContext,
  "buildId" | "stream" | "node" | "hash" | "stampTime" | "submit" | "redact"
> {
  readonly registry: ImageRegistry | undefined;
  /** What is stored already, by {@link ranKey}. */
  readonly past: ReadonlySet<string>;
  /** The fetch, and its source with credentials where this process was given them. */
  readonly find: (fetchId: string) => RanFetch | undefined;
  readonly signal: CancelSignal;
}

interface RanFetch {
  readonly state: FetchState;
  readonly source: RegistryImageSource | undefined;
}

/** What was told of what ran, in a build that is open. */
export class RanImages {
  readonly #options: RanImagesOptions;
  readonly #told = new Map<string, Promise<RanVerdict>>();

  constructor(options: RanImagesOptions) {
    this.#options = options;
  }

  record({ fetchId, imageID, pod }: RanImageReport): Promise<RanVerdict> {
    const { redact } = this.#options;
    const report = {
      fetchId,
      imageID: redact(imageID).slice(0, longest),
      ...(pod === undefined ? {} : { pod: redact(pod) }),
    };
    const key = ranKey(report);
    const told = this.#told.get(key) ?? this.#record(report, key);
    this.#told.set(key, told);
    // What was not stored may be told again.
    told.catch(() => this.#told.delete(key));
    return told;
  }

  async #record(report: RanImageReport, key: string): Promise<RanVerdict> {
    const { find, buildId, past, stream, node, hash, stampTime, submit } = this.#options;
    const fetch = find(report.fetchId);
    if (fetch === undefined) {
      throw new FetchImageError("FI_PLAN_UNKNOWN", {
        message: `build ${buildId} has no fetch ${report.fetchId}, of which an image could have run`,
        details: { build: buildId, fetch: report.fetchId },
      });
    }
    const resolved = fetch.state.resolved?.version["digest"];
    const verdict = await this.#compare({ resolved, imageID: report.imageID }, fetch);
    if (past.has(key)) return verdict;
    const fact: BuildFact = {
      type: "ImageRan",
      data: { ...report, ...(resolved === undefined ? {} : { resolved }), ...verdict },
    };
    await submit([buildFactToStore(fact, { stream, key: `ran\n${key}`, buildId, node, at: stampTime() }, hash)]);
    return verdict;
  }

  async #compare(pair: { resolved: string | undefined; imageID: string }, fetch: RanFetch): Promise<RanVerdict> {
    let refused: string | undefined;
    const { registry, signal } = this.#options;
    const source = fetch.source ?? publicSourceOf(fetch.state);
    const listed = async (digest: Digest) => {
      if (registry?.listed === undefined || source === undefined) return undefined;
      try {
        return (await registry.listed(source, digest, { signal }))?.map((image) => image.digest);
      } catch (error) {
        refused = codeOf(error);
        return undefined;
      }
    };
    const verdict = await compareRan(pair, listed);
    if (refused === undefined || verdict.outcome !== "unknown") return verdict;
    return { ...verdict, reason: `${verdict.reason ?? ""} (${refused})` };
  }
}

/** Of a runtime's words. */
const longest = 1_000;

/** Of a fetch that another process was asked for: as its fact has it, where that needs no credentials. */
function publicSourceOf({ snapshot }: FetchState): RegistryImageSource | undefined {
  const { type, source, credentials } = snapshot.context.request;
  if (type !== "registry-image" || credentials) return undefined;
  const parsed = parseRegistryImageSource(source);
  return parsed.ok ? parsed.source : undefined;
}
