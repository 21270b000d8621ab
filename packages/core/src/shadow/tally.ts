import type { RecordedShadowFact } from "../facts/facts.ts";
import { parseTime } from "../facts/time.ts";
import { type ShadowClass, shadowClasses } from "./explain-difference.ts";
import { defaultShadowRule, type ShadowRule, type ShadowVerdict, shadowVerdict } from "./verdict.ts";

/** Comparisons of one image that came to the same: the newest of them, and how many there were. */
export interface ShadowDifference {
  readonly class: string;
  readonly proof: "observed" | "inferred";
  readonly because: string;
  readonly name: string;
  /** Canonical, without tag; of another type than registry-image, or where only a login tells it, absent. */
  readonly repository?: string;
  readonly tag?: string;
  readonly theirs?: string;
  readonly ours?: string;
  readonly times: number;
  /** Milliseconds since the epoch. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** The newest of them. */
  readonly build: string;
  readonly fetchId: string;
}

export interface ShadowReport {
  readonly comparisons: number;
  /** Milliseconds since the epoch, of the first and the last comparison. */
  readonly firstAt?: number;
  readonly lastAt?: number;
  /** By class; those that never came are absent. */
  readonly counts: { readonly [Name in ShadowClass]?: number };
  /** Explanations that follow from times alone. */
  readonly inferred: number;
  /** Fetches that were not compared, there being too many at once. */
  readonly dropped: number;
  /** Questions to registries; theirs is of the `told` comparisons that said it. */
  readonly requests: {
    readonly ours: number;
    readonly explaining: number;
    readonly theirs: number;
    readonly told: number;
  };
  /** Time that the fetches took, in milliseconds, of the comparisons that told it of theirs. */
  readonly time: { readonly ours: number; readonly theirs: number; readonly told: number };
  /** What stands in the way of a switch first, then the rest; the newest first. */
  readonly differences: readonly ShadowDifference[];
  readonly verdict: ShadowVerdict;
}

/** Adds comparisons up. What it holds grows with different differences, not with comparisons. */
export class ShadowTally {
  readonly #counts: { [name: string]: number } = {};
  readonly #differences = new Map<string, ShadowDifference>();
  readonly #requests = { ours: 0, explaining: 0, theirs: 0, told: 0 };
  readonly #time = { ours: 0, theirs: 0, told: 0 };
  #comparisons = 0;
  #inferred = 0;
  #dropped = 0;
  #firstAt: number | undefined;
  #lastAt: number | undefined;

  add({ data, metadata }: RecordedShadowFact): void {
    const { theirs, ours, asked, dropped } = data;
    const at = parseTime(metadata.time);
    this.#comparisons++;
    this.#firstAt = Math.min(this.#firstAt ?? at, at);
    this.#lastAt = Math.max(this.#lastAt ?? at, at);
    this.#dropped += dropped ?? 0;
    this.#requests.ours += asked.requests;
    this.#requests.explaining += asked.explaining;
    if (theirs.requests !== undefined) {
      this.#requests.theirs += theirs.requests;
      this.#requests.told++;
    }
    if (theirs.ms !== undefined) {
      this.#time.ours += ours.ms;
      this.#time.theirs += theirs.ms;
      this.#time.told++;
    }
    // A class of a newer version is nothing that this one may take for harmless.
    const name = Object.hasOwn(shadowClasses, data.class) ? data.class : "unexplained";
    this.#counts[name] = (this.#counts[name] ?? 0) + 1;
    if (data.proof === "inferred") this.#inferred++;
    if (name !== "same") this.#differ(data, name, at);
  }

  report(rule: ShadowRule = defaultShadowRule): ShadowReport {
    const order = Object.keys(shadowClasses);
    const rank = (name: string) => order.indexOf(name);
    const report = {
      comparisons: this.#comparisons,
      ...(this.#firstAt === undefined ? {} : { firstAt: this.#firstAt }),
      ...(this.#lastAt === undefined ? {} : { lastAt: this.#lastAt }),
      counts: Object.fromEntries(order.flatMap((name) => (name in this.#counts ? [[name, this.#counts[name]]] : []))),
      inferred: this.#inferred,
      dropped: this.#dropped,
      requests: { ...this.#requests },
      time: { ...this.#time },
      differences: [...this.#differences.values()].sort(
        (one, other) => rank(one.class) - rank(other.class) || other.lastAt - one.lastAt,
      ),
    };
    return { ...report, verdict: shadowVerdict(report, rule) };
  }

  #differ(data: RecordedShadowFact["data"], name: string, at: number): void {
    const { theirs, ours, proof, because, build, fetchId, source, scope } = data;
    const code = ours.failure?.cause?.code ?? ours.failure?.code ?? "";
    const key = JSON.stringify([name, scope ?? source, data.name, theirs.digest, ours.version, code]);
    const before = this.#differences.get(key);
    const newest = before === undefined || at >= before.lastAt;
    const { repository, version } = ours;
    const tag = version?.["tag"] ?? source["tag"];
    const digest = version?.["digest"];
    const shown: ShadowDifference = newest
      ? {
          class: name,
          proof,
          because,
          name: data.name,
          ...(repository === undefined ? {} : { repository }),
          ...(typeof tag === "string" ? { tag } : {}),
          ...(theirs.digest === undefined ? {} : { theirs: theirs.digest }),
          ...(digest === undefined ? {} : { ours: digest }),
          times: 0,
          firstAt: at,
          lastAt: at,
          build: build.id,
          fetchId,
        }
      : before;
    this.#differences.set(key, {
      ...shown,
      times: (before?.times ?? 0) + 1,
      firstAt: Math.min(before?.firstAt ?? at, at),
      lastAt: Math.max(before?.lastAt ?? at, at),
    });
  }
}
