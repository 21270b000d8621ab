import { compileTagRegex, type RegistryImageSource, type TagRegex } from "@fetch-image/core/registry-image";
import { inGoOrder } from "./go-json.ts";

export interface MetadataField {
  readonly name: string;
  readonly value: string;
}

interface Texts {
  readonly [key: string]: string;
}

/** Which of an image's annotations and labels a get tells; undefined for none. */
export interface MetadataPatterns {
  readonly annotations: TagRegex | undefined;
  readonly labels: TagRegex | undefined;
}

/** Throws `FI_SOURCE_INVALID` and `FI_SOURCE_UNSUPPORTED` naming the field. */
export function metadataPatterns(source: RegistryImageSource): MetadataPatterns {
  return { annotations: patternOf(source, "annotation_regex"), labels: patternOf(source, "label_regex") };
}

/**
 * What a get tells beside its version: repository and tag, then the annotations that match, then the labels, each by
 * their keys (upstream commands/metadata.go).
 */
export function metadataOf(
  { repository, tag }: { readonly repository: string; readonly tag: string },
  { annotations, labels }: MetadataPatterns,
  image: { readonly annotations: Texts | undefined; readonly labels: Texts | null | undefined },
): readonly MetadataField[] {
  return [
    { name: "repository", value: repository },
    { name: "tag", value: tag },
    ...matching(annotations, image.annotations),
    ...matching(labels, image.labels),
  ];
}

function matching(pattern: TagRegex | undefined, texts: Texts | null | undefined): readonly MetadataField[] {
  if (!pattern) return [];
  return inGoOrder(texts ?? {})
    .filter(([name]) => pattern.matches(name))
    .map(([name, value]) => ({ name, value }));
}

function patternOf(source: RegistryImageSource, field: "annotation_regex" | "label_regex"): TagRegex | undefined {
  const pattern = source[field] ?? "";
  if (pattern === "") return undefined;
  const compiled = compileTagRegex(pattern, field);
  if (!compiled.ok) throw compiled.error;
  return compiled.regex;
}
