/** `sha256:` and exactly 64 lower-case hex digits, or `sha512:` and 128. */
export type Digest = `${"sha256" | "sha512"}:${string}`;

const digestPattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Whether the text is a digest of a registered algorithm (OCI image-spec, descriptor.md "Digests"). */
export function isDigest(text: string): text is Digest {
  return text.length <= 135 && digestPattern.test(text);
}
