import { duration } from "@fetch-image/core";
import type { Traffic } from "../open-engine.ts";
import { createStyle } from "../style.ts";
import type { ImageRow } from "./rows.ts";

interface SummaryOptions {
  readonly rows: readonly ImageRow[];
  readonly traffic: Traffic;
  readonly checkInterval: number;
  readonly color: boolean;
}

/** What happened, in words that need no vocabulary. */
export function showSummary({ rows, traffic, checkInterval, color }: SummaryOptions): string {
  const { strong } = createStyle(color);
  const kinds = [
    part(rows, ["HEAD", "GET"], "asked of a registry"),
    part(rows, ["step"], "checked by a step"),
    part(rows, ["joined"], "answered by a question already under way"),
    part(rows, ["fresh"], "still fresh and not asked again"),
    part(rows, ["stale-served"], "stale, since the registry fails or is to be spared"),
    part(rows, ["pin", "plan"], "pinned by the pipeline"),
    part(rows, ["tag", "latest"], "known by tag only"),
    part(rows, ["push"], "pushed for nodes to pull"),
    part(rows, ["base-type"], "of base types, from the built-in table"),
    part(rows, ["rootfs"], "given as a rootfs_uri"),
    partOf(rows, ({ state }) => state === "deferred", "known only while the build runs"),
    partOf(rows, ({ error, state }) => error !== undefined && state !== "aborted", "failed"),
    partOf(rows, ({ state }) => state === "aborted", "aborted"),
  ];
  if (rows.length === 0) return "No step of the job needs an image.\n";
  const fresh = rows.some(({ via }) => via === "fresh");
  const { requests, imageBytes } = traffic;
  return [
    strong(`Images were needed in ${count(rows.length, "place")}:`) +
      ` ${kinds.filter((text) => text !== "").join(", ")}.`,
    `${count(requests, "registry request")}, ${bytes(imageBytes)} of images downloaded.`,
    ...(fresh
      ? [
          `Fresh: observed less than ${duration(checkInterval)} ago, or than the type's check_every. --manual asks all the same.`,
        ]
      : []),
    "",
  ].join("\n");
}

function part(rows: readonly ImageRow[], vias: readonly string[], words: string): string {
  return partOf(rows, ({ via, error }) => via !== undefined && vias.includes(via) && error === undefined, words);
}

function partOf(rows: readonly ImageRow[], matches: (row: ImageRow) => boolean, words: string): string {
  const matching = rows.filter(matches).length;
  return matching === 0 ? "" : `${matching} ${words}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function bytes(number: number): string {
  if (number < 10_000) return count(number, "byte");
  return number < 1_000_000 ? `${Math.round(number / 1000)} kB` : `${(number / 1_000_000).toFixed(1)} MB`;
}
