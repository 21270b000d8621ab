import type { FetchImageErrorCode } from "@fetch-image/core/basics";

export const exitStatus = { done: 0, failed: 1, wrongInput: 2, interrupted: 130 } as const;

/** Errors of the input and the usage: nothing was requested, nothing stored. Every other error is a failure. */
const wrongInput: ReadonlySet<FetchImageErrorCode> = new Set<FetchImageErrorCode>([
  "FI_REFERENCE_INVALID",
  "FI_SOURCE_INVALID",
  "FI_SOURCE_UNSUPPORTED",
  "FI_PAYLOAD_INVALID",
  "FI_COMPARISON_INVALID",
  "FI_PIPELINE_INVALID",
  "FI_PIPELINE_DIFFERS",
  "FI_PIPELINE_UNREADABLE",
  "FI_JOB_UNKNOWN",
  "FI_RESOURCE_UNKNOWN",
  "FI_VAR_MISSING",
  "FI_RESOURCE_TYPE_CYCLE",
  "FI_USAGE",
  "FI_SETTING_INVALID",
  "FI_DESTINATION_UNUSABLE",
  "FI_BUILD_UNKNOWN",
  "FI_PLAN_UNKNOWN",
  "FI_QUERY_INVALID",
  "FI_STORE_LOCKED",
  "FI_STORE_UNREADABLE",
  "FI_STORE_TOO_NEW",
]);

export function exitStatusOf(code: FetchImageErrorCode): number {
  return wrongInput.has(code) ? exitStatus.wrongInput : exitStatus.failed;
}
