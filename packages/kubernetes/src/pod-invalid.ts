import { FetchImageError, showText } from "@fetch-image/core";

/** `FI_POD_INVALID`. The step's name is the user's text: it is shown cut. */
export function podInvalid(step: string, problem: string, hint: string): FetchImageError {
  const shown = showText(step);
  const details = { step: shown.slice(1, -1) };
  return new FetchImageError("FI_POD_INVALID", { message: `step ${shown}: ${problem}`, hint, details });
}
