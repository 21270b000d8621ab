import type { Secrets } from "./command.ts";

export function createSecrets(): Secrets {
  const known = new Set<string>();
  let redact = (text: string) => text;
  return {
    async add(texts) {
      for (const text of texts) known.add(text);
      if (known.size === 0) return;
      // Loaded only where there is a secret: `ref` and `config` start without the engine.
      const { redactor } = await import("@fetch-image/engine");
      redact = redactor([...known]);
    },
    redact: (text) => redact(text),
  };
}
