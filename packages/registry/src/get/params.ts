import { FetchImageError, type JsonObject, showText } from "@fetch-image/core/registry-image";
import { isJsonBody } from "../json-body.ts";
import type { WantedPlatform } from "../platform.ts";

const formats = ["rootfs", "oci", "oci-layout"] as const;

/** `rootfs`: the files of a container. `oci`: a tar for `docker load`. `oci-layout`: an OCI image layout, all platforms. */
export type GetFormat = (typeof formats)[number];

/** The params of a get (upstream types.go, `GetParams`). */
export interface GetParams {
  readonly format: GetFormat;
  readonly skipDownload: boolean;
  /** Replaces the source's whole; an empty one means the host's. */
  readonly platform?: WantedPlatform;
}

/**
 * Reads a get's params as the resource does: unknown fields are refused, `null` and an empty text are nothing. Throws
 * `FI_PAYLOAD_INVALID` naming the field.
 */
export function getParams(params: JsonObject | undefined): GetParams {
  const given = params ?? {};
  refuseUnknown("params", given, ["format", "platform", "skip_download"]);
  const { format, platform, skip_download: skip } = given;
  const skipDownload = isNothing(skip) ? false : skip;
  if (typeof skipDownload !== "boolean") throw invalid("params.skip_download", "must be true or false");
  return {
    // The resource never looks at the format of what it does not download.
    format: skipDownload ? "rootfs" : formatOf(isNothing(format) ? "" : format),
    skipDownload,
    ...(isNothing(platform) ? {} : { platform: platformOf(platform) }),
  };
}

function formatOf(format: unknown): GetFormat {
  if (typeof format !== "string") throw invalid("params.format", "must be a string");
  const known = formats.find((one) => one === (format === "" ? "rootfs" : format));
  if (known !== undefined) return known;
  throw invalid("params.format", `must be one of ${formats.join(", ")}, not ${showText(format)}`);
}

function platformOf(platform: unknown): WantedPlatform {
  if (!isJsonBody(platform)) throw invalid("params.platform", "must be an object");
  refuseUnknown("params.platform", platform, ["architecture", "os"]);
  const set = Object.entries(platform).filter(([, value]) => !isNothing(value) && value !== "");
  for (const [name, value] of set) {
    if (typeof value !== "string") throw invalid(`params.platform.${name}`, "must be a string");
  }
  return Object.fromEntries(set);
}

function refuseUnknown(parent: string, object: object, known: readonly string[]): void {
  const unknown = Object.keys(object).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw invalid(`${parent}.${showText(unknown).slice(1, -1)}`, `is no param of a get; there are ${known.join(", ")}`);
}

function isNothing(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

function invalid(field: string, problem: string): FetchImageError {
  return new FetchImageError("FI_PAYLOAD_INVALID", {
    message: `invalid payload: ${field} ${problem}`,
    details: { field },
  });
}
