import { FetchImageError } from "../errors/fetch-image-error.ts";
import { parseReference } from "../image/reference.ts";
import { tagFault } from "../image/reference-grammar.ts";
import { showCharacter, showText } from "../image/show-text.ts";
import { didYouMean } from "./did-you-mean.ts";
import type { RegistryImageSource } from "./registry-image-source.ts";
import { isSet, sourceFieldNames } from "./source-fields.ts";
import type { ShapeIssue, Wanted } from "./source-shape.ts";

/** One thing that is wrong with a source. Never holds a value of a field that may be a secret. */
export interface SourceProblem {
  /** `registry_mirror.host`, `ca_certs[0]`; empty for the source itself. */
  readonly field: string;
  readonly says: string;
  readonly hint?: string;
}

/** `FI_SOURCE_INVALID` for one problem or more; the first leads. */
export function sourceInvalid(problems: readonly SourceProblem[]): FetchImageError {
  const shown = problems.slice(0, 3).map(({ says }) => says);
  const more = problems.length - shown.length;
  const hint = problems.find(({ hint }) => hint !== undefined)?.hint;
  return new FetchImageError("FI_SOURCE_INVALID", {
    message: [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join("; "),
    ...(hint === undefined ? {} : { hint }),
    details: { field: problems[0]?.field },
  });
}

/** What is wrong with a source's shape, in words. */
export function shapeProblems(issues: readonly ShapeIssue[], source: unknown): SourceProblem[] {
  return issues.map(({ path, is }): SourceProblem => {
    const field = pathText(path);
    if (is === "unknown") return unknownField(path.slice(0, -1), String(path.at(-1)));
    if (is === "missing") return { field, says: `${named(field)} is required` };
    const value = valueAt(source, path);
    return { field, says: `${named(field)} must be ${is}, not ${kindOf(value)}`, ...kindHint(is, value) };
  });
}

/** What is wrong with the values of a source whose shape is right. */
export function valueProblems(source: RegistryImageSource): SourceProblem[] {
  return [
    ...repositoryProblems(source),
    ...tagProblems(source),
    ...certificateProblems(source),
    ...roleProblems(source),
  ];
}

function repositoryProblems({ repository, tag }: RegistryImageSource): SourceProblem[] {
  const field = "repository";
  const parsed = parseReference(repository);
  if (!parsed.ok) {
    const hint = repository.includes("((") ? "Its ((var)) has no value: give it one." : parsed.error.hint;
    return [{ field, says: `source.repository: ${parsed.error.message}`, hint }];
  }
  const { reference } = parsed;
  if (reference.digest !== undefined) {
    const hint = "Leave only the repository here, and pin the image with `version: {digest: …}` where it is used.";
    return [{ field, says: `source.repository ${showText(repository)} has a digest`, hint }];
  }
  if (reference.tag === undefined) return [];
  const name = showText(repository.slice(0, -reference.tag.length - 1));
  const hint =
    tag === undefined
      ? `Move the tag to \`tag\`: repository: ${name}, tag: ${showText(reference.tag)}.`
      : `Leave the tag to \`tag\`, which is set too: repository: ${name}.`;
  return [{ field, says: `source.repository ${showText(repository)} has a tag`, hint }];
}

function tagProblems({ tag }: RegistryImageSource): SourceProblem[] {
  const fault = tag === undefined ? undefined : tagFault(tag);
  if (tag === undefined || fault === undefined) return [];
  const what = fault.character === undefined ? fault.problem : `${fault.problem} ${showCharacter(fault.character)}`;
  const hint = tag.includes("((")
    ? "Its ((var)) has no value: give it one."
    : "A tag has letters, digits, `_`, `.` and `-`, at most 128, and begins with none of the last two.";
  return [{ field: "tag", says: `source.tag is not a tag: ${what} (at character ${fault.at + 1})`, hint }];
}

/** The resource refuses a text that adds no certificate; what is inside one is for the TLS library to judge. */
function certificateProblems({ ca_certs: certificates = [] }: RegistryImageSource): SourceProblem[] {
  return certificates.flatMap((certificate, index): SourceProblem[] => {
    if (certificate.includes("-----BEGIN CERTIFICATE-----")) return [];
    const field = `ca_certs[${index}]`;
    const hint = "Give the certificate itself, from -----BEGIN CERTIFICATE----- on, not the name of its file.";
    return [{ field, says: `source.${field} holds no PEM certificate`, hint }];
  });
}

/** The resource looks at roles only where a region turns ECR on, and then takes one way to write them. */
function roleProblems({ aws_region, aws_role_arn, aws_role_arns }: RegistryImageSource): SourceProblem[] {
  if (!isSet(aws_region) || !isSet(aws_role_arn) || !isSet(aws_role_arns)) return [];
  const says = "source.aws_role_arn and source.aws_role_arns cannot both be set";
  return [{ field: "aws_role_arns", says, hint: "Put all roles into `aws_role_arns`, in the order to assume them." }];
}

function unknownField(path: readonly PropertyKey[], name: string): SourceProblem {
  const parent = pathText(path);
  const near = didYouMean(name, knownFields[parent] ?? []);
  const meant = near === undefined ? "" : ` (did you mean "${near}"?)`;
  return {
    field: pathText([...path, showText(name).slice(1, -1)]),
    says: `${named(parent)} has no field ${showText(name)}${meant}`,
    hint: near === undefined ? "Remove it: registry-image refuses what it does not know." : `Write \`${near}\`.`,
  };
}

const knownFields: { readonly [parent: string]: readonly string[] } = {
  "": sourceFieldNames,
  registry_mirror: ["host", "username", "password"],
  platform: ["architecture", "os"],
};

function kindHint(wanted: Wanted, value: unknown): { hint?: string } {
  if (wanted === "a string" && typeof value !== "object") return { hint: "Put it in quotes." };
  if (wanted === "true or false" && typeof value === "string") return { hint: "Write it without quotes." };
  return {};
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function named(field: string): string {
  return field === "" ? "source" : `source.${field}`;
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
}

function valueAt(source: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) => (typeof value === "object" && value !== null ? Reflect.get(value, part) : undefined),
    source,
  );
}
