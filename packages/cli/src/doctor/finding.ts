import { visible } from "@fetch-image/core";
import { asFetchImageError } from "../show-error.ts";

export interface Finding {
  readonly is: "ok" | "warning" | "problem";
  /** `store`, `registry.example.com/acme/app:1.2`. */
  readonly what: string;
  readonly says: string;
  readonly code?: string;
  readonly fix?: string;
}

export function problem(what: string, thrown: unknown): Finding {
  const { code, message, hint } = asFetchImageError(thrown);
  return { is: "problem", what, says: `${code}: ${visible(message)}`, code, fix: visible(hint) };
}
