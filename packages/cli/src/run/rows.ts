import type { FetchImageError, JsonObject, Version } from "@fetch-image/core";
import { mapTexts } from "../json.ts";
import { errorJson } from "../show-error.ts";
import { createStyle } from "../style.ts";
import type { Wanted } from "./images.ts";

/** What a line says of the step that an image is for. */
export type WantedStep = Pick<Wanted, "plan" | "step" | "resourceType"> & {
  readonly kind: string;
  readonly how: string;
};

/** What became of one image of a build: one line of `run`. */
export interface ImageRow {
  readonly wanted: WantedStep;
  /** `domain/path:tag@digest`, what the kubelet pulls. */
  readonly image?: string;
  readonly imageURL?: string;
  /** Where the bytes are. */
  readonly artifact?: string;
  readonly version?: Version;
  /** How the version was chosen: `HEAD`, `GET`, `fresh`, `joined`, `pin`…; `base-type`, `rootfs` where none was. */
  readonly via?: string;
  /** The machine's state; `resolved` where FetchImage was not needed, `deferred` where only the running build knows. */
  readonly state: string;
  /** Why it is deferred. */
  readonly because?: string;
  readonly ms: number;
  readonly error?: FetchImageError;
}

/** Only an error can quote what is secret. */
export function rowJson(build: string, row: ImageRow, redact: (text: string) => string): JsonObject {
  const { wanted, image, imageURL, artifact, version, via, state, because, ms, error } = row;
  const { plan, step, kind, resourceType } = wanted;
  return {
    build,
    plan,
    step,
    kind,
    ...(resourceType === undefined ? {} : { resourceType }),
    ...(image === undefined ? {} : { image }),
    ...(imageURL === undefined ? {} : { imageURL }),
    ...(artifact === undefined ? {} : { artifact }),
    version: version ?? null,
    via: via ?? null,
    state,
    ...(because === undefined ? {} : { because }),
    ms,
    ...(error === undefined ? {} : { error: mapTexts(errorJson(error), redact) }),
  };
}

export interface RowFormat {
  readonly head: string;
  readonly line: (row: ImageRow) => string;
}

/**
 * A line for each image, in columns that all the images of a build fit in. The image comes last, since it is long; where
 * the terminal is too narrow for it, it has a line of its own.
 */
export function rowFormat(
  all: readonly WantedStep[],
  { color, columns = Infinity }: { readonly color: boolean; readonly columns: number | undefined },
): RowFormat {
  const style = createStyle(color);
  const width = Math.max(4, ...all.map((wanted) => nameOf(wanted, all).length));
  const cells = (step: string, how: string, ms: string) =>
    `  ${step.padEnd(width)}  ${how.padEnd(9)}  ${ms.padStart(5)}`;
  const isNarrow = cells("", "", "").length + typicalImage > columns;
  const before = isNarrow ? `\n      ` : "  ";
  const last = (text: string, paint: (text: string) => string) => (text === "" ? "" : `${before}${paint(text)}`);
  return {
    head: style.quiet(`${cells("STEP", "HOW", "MS")}${isNarrow ? "" : "  IMAGE"}`) + "\n",
    line({ wanted, image = "", artifact, via, ms, state, because, error }) {
      const how = error === undefined ? (via ?? state) : state;
      const cellsOfRow = cells(nameOf(wanted, all), how, wanted.how === "fetch" ? String(ms) : "");
      const start = isNarrow ? cellsOfRow.trimEnd() : cellsOfRow;
      if (error !== undefined) return `${style.bad(`${start}  ${error.code}`)}\n`;
      if (because !== undefined) return `${style.quiet(start)}${last(because, style.quiet)}\n`;
      const bytes = artifact === undefined ? "" : `\n      ${style.quiet(`its bytes are in ${artifact}`)}`;
      return `${start}${last(image, style.good)}${bytes}\n`;
    },
  };
}

/** `registry.example.com/team/image:1.2.3@sha256:` and 64 digits. */
const typicalImage = 110;

/** `get pr: type pull-request`, `task unit`; of an image's own sub-plan, the step that it is for. */
export function nameOf({ plan, step, kind, resourceType, how }: WantedStep, all: readonly WantedStep[]): string {
  const [root = ""] = plan.split("/");
  const outer = all.find((wanted) => wanted.plan === root);
  const ofStep = outer === undefined ? `${kind} ${step}` : `${outer.kind} ${outer.step}`;
  if (resourceType === undefined) return ofStep;
  const type = `${how === "base-type" ? "base type" : "type"} ${resourceType}`;
  return plan === root ? `${ofStep}: ${type}` : `${ofStep}: ${type} for ${step === "image" ? "its image" : step}`;
}
