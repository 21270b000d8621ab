import { FetchImageError } from "../errors/fetch-image-error.ts";
import { showText } from "../image/show-text.ts";
import { didYouMean } from "../source/did-you-mean.ts";
import type { Pipeline } from "./pipeline.ts";

export function jobUnknown({ jobs, file }: Pipeline, job: string): FetchImageError {
  const names = jobs.map(({ name }) => name);
  const near = didYouMean(job, names);
  return new FetchImageError("FI_JOB_UNKNOWN", {
    message: `${file} has no job ${showText(job)}`,
    hint: near === undefined ? `It has ${names.slice(0, 20).join(", ")}.` : `Did you mean ${near}?`,
    details: { job: job.slice(0, 100), jobs: names },
  });
}
