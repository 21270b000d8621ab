import type { Secrets } from "./command.ts";

export function createSecrets(): Secrets {
  const known = new Set<string>();
  let redact = (text: string) => text;
  return {
    async add(texts) {
      for (const text of texts) known.add(text);
      if (known.size === 0) return;
      // Loaded only where there is a secret, and without the rest of the engine: a check starts fast.
      const { redactor } = await import("@fetch-image/engine/redact");
      redact = redactor([...known]);
    },
    redact: (text) => redact(text),
  };
}
