import { FetchImageError, type JsonObject, visible } from "@fetch-image/core/basics";
import { createStyle } from "./style.ts";

/** Whatever was thrown, as the one error class: what is not ours is a defect of fetch-image. */
export function asFetchImageError(error: unknown): FetchImageError {
  if (FetchImageError.is(error)) return error;
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new FetchImageError("FI_INTERNAL", { message, cause: error });
}

/** For people: code and message, then the fix, then what is behind it and not said yet. */
export function showError(
  error: FetchImageError,
  { color, what = "" }: { readonly color: boolean; readonly what?: string },
): string {
  const style = createStyle(color);
  const lines = [`${style.bad("error")} ${style.strong(error.code)}: ${visible(`${what}${error.message}`)}`];
  const fixes = new Set([error.hint]);
  let said = error.message;
  for (const { code, message, hint } of causesOf(error)) {
    if (!said.includes(message)) lines.push(`  because ${code === undefined ? "" : `${code}: `}${visible(message)}`);
    if (hint !== undefined) fixes.add(hint);
    said += `\n${message}`;
  }
  // "See the cause" helps nobody who reads the cause's own fix below.
  const useful = fixes.size > 1 ? [...fixes].filter((fix) => fix !== "See the cause.") : [...fixes];
  return `${[...lines, ...useful.map((fix) => `  fix: ${visible(fix)}`)].join("\n")}\n`;
}

/** For programs: the error's own JSON, and what is behind it. */
export function errorJson(error: FetchImageError): JsonObject {
  const [cause] = causesOf(error);
  if (cause?.code === undefined) return error.toJSON();
  return { ...error.toJSON(), cause: { code: cause.code, message: cause.message } };
}

interface Cause {
  readonly code: string | undefined;
  readonly message: string;
  readonly hint: string | undefined;
}

function causesOf(error: FetchImageError): readonly Cause[] {
  const causes: Cause[] = [];
  for (let cause: unknown = error.cause; cause instanceof Error && causes.length < 5; cause = cause.cause) {
    const ours = FetchImageError.is(cause) ? cause : undefined;
    causes.push({ code: ours?.code, message: cause.message, hint: ours?.hint });
  }
  return causes;
}
