import {
  FetchImageError,
  formatReference,
  formatTime,
  isDigest,
  parseReference,
  showText,
  type Theirs,
} from "@fetch-image/core/fetching";
import type { ShadowActual } from "./shadow-api.ts";

/** What the scheduler told, as it is stored. Throws `FI_COMPARISON_INVALID` naming the field. */
export function readActual(actual: ShadowActual, now: number, redact: (text: string) => string): Theirs {
  const { failure, reference, version, requests, ms } = actual;
  const at = timeOf(actual.at, "at") ?? formatTime(now);
  const observedAt = timeOf(actual.observedAt, "observedAt");
  const about = {
    ...(observedAt === undefined ? {} : { observedAt }),
    at,
    ...(failure === undefined ? {} : { failure: redact(failure) }),
    ...amount("requests", requests),
    ...amount("ms", ms),
  };
  if (failure !== undefined) return about;
  const named = reference === undefined ? {} : partsOf(reference);
  const digest = actual.digest ?? version?.["digest"] ?? named.digest;
  if (digest !== undefined && digest !== "" && !isDigest(digest)) throw invalid("digest", showText(digest));
  if (digest === undefined && version === undefined && reference === undefined) {
    throw invalid("digest", "missing, and so are version, reference and failure");
  }
  const tag = version?.["tag"] ?? named.tag;
  return {
    ...(digest === undefined || digest === "" ? {} : { digest }),
    ...(tag === undefined ? {} : { tag: redact(tag) }),
    ...(named.repository === undefined ? {} : { repository: redact(named.repository) }),
    ...about,
  };
}

function partsOf(text: string): { readonly repository?: string; readonly tag?: string; readonly digest?: string } {
  const parsed = parseReference(text.replace(/^docker:\/\/\//, ""));
  if (!parsed.ok) throw invalid("reference", parsed.error.message);
  const { domain, path, tag, digest } = parsed.reference;
  return {
    repository: formatReference({ domain, path }),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function timeOf(text: string | undefined, field: string): string | undefined {
  if (text === undefined) return undefined;
  const at = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw invalid(field, `${showText(text)}, and no time such as 2026-11-22T04:40:00Z`);
  return formatTime(at);
}

function amount<N extends "requests" | "ms">(name: N, value: number | undefined): { readonly [Name in N]?: number } {
  if (value === undefined) return {};
  if (!Number.isFinite(value) || value < 0) throw invalid(name, `${value}, and no amount`);
  return { [name]: value } as { [Name in N]: number };
}

function invalid(field: string, problem: string): FetchImageError {
  return new FetchImageError("FI_COMPARISON_INVALID", {
    message: `the comparison's actual.${field} is ${problem}`,
    details: { field: `actual.${field}` },
  });
}
