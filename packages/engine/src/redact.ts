import { secretCutter } from "@fetch-image/core/registry-image";

/** Cuts every one of the secrets out of a text. Short ones too: a wrong cut costs less than a leak. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  return secretCutter(secretForms(secrets));
}

/** The texts that give a secret away. Encoded forms too: in a URL, in a JSON string, in an Authorization header. */
export function secretForms(secrets: readonly string[]): readonly string[] {
  const forms = new Set(
    secrets
      .filter((secret) => secret.length > 0)
      .flatMap((secret) => [
        secret,
        encodeURIComponent(secret.replaceAll(/\p{Surrogate}/gu, "\uFFFD")),
        JSON.stringify(secret).slice(1, -1),
        Buffer.from(secret).toString("base64"),
        ...secret.split("\n").filter((line) => line.trim().length > 3),
      ]),
  );
  return [...forms];
}
