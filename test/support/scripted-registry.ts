import { createHash } from "node:crypto";
import { type Digest, FetchImageError, type ImageRegistry, parseReference, type Resolution } from "@fetch-image/core";

/** A registry port that answers from a table, for tests of what is decided, not of what is sent. */
export interface ScriptedRegistry extends ImageRegistry {
  /** `repository:tag` of every question, in order. */
  readonly questions: string[];
  /** Points the tag at an image with this content; gives its digest. */
  push(reference: string, content: string): Digest;
  /** The next question is answered with this error. */
  failNext(error: FetchImageError): void;
  /** Questions wait until `release` is called. */
  hold(): void;
  release(): void;
}

export function scriptedRegistry(): ScriptedRegistry {
  const tags = new Map<string, Digest>();
  const failures: FetchImageError[] = [];
  const questions: string[] = [];
  let gate: Promise<void> | undefined;
  let open: () => void = () => {};

  const registry: ScriptedRegistry = {
    questions,
    push(reference, content) {
      const digest: Digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
      tags.set(keyOf(reference), digest);
      return digest;
    },
    failNext(error) {
      failures.push(error);
    },
    hold() {
      gate = new Promise((resolve) => {
        open = resolve;
      });
    },
    release() {
      open();
      gate = undefined;
    },
    async resolve({ repository }, tag, { signal }) {
      const asked = `${repository}:${tag}`;
      questions.push(asked);
      if (gate !== undefined) {
        const aborted = new Promise<void>((resolve) => {
          signal.addEventListener("abort", resolve, { once: true });
        });
        await Promise.race([gate, aborted]);
      }
      if (signal.aborted) throw new FetchImageError("FI_ABORTED");
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      const digest = tags.get(keyOf(asked));
      const resolution: Resolution | undefined =
        digest === undefined ? undefined : { digest, via: "HEAD", host: "registry.example.com", status: 200 };
      return resolution;
    },
  };
  return registry;
}

function keyOf(reference: string): string {
  const parsed = parseReference(reference);
  if (!parsed.ok) throw parsed.error;
  return parsed.reference.canonical;
}
