import { createHash } from "node:crypto";
import {
  type CancelSignal,
  type Digest,
  FetchImageError,
  type ImageRegistry,
  nextCheckStep,
  parseReference,
  type RateLimit,
  type RepositoryFacts,
  versionRule,
} from "@fetch-image/core";

/** A registry port that answers from a table, for tests of what is decided, not of what is sent. */
export interface ScriptedRegistry extends ImageRegistry {
  /** Every question, in order: `repository:tag`, `repository@digest`, or `repository` for its tags. */
  readonly questions: string[];
  /** Points the tag at an image with this content; gives its digest. */
  push(reference: string, content: string): Digest;
  /** The next question is answered with this error. */
  failNext(error: FetchImageError): void;
  /** What checks tell of the rate limit from now on. */
  rateLimit: RateLimit | undefined;
  /** Questions wait until `release` is called. */
  hold(): void;
  release(): void;
}

export function scriptedRegistry(): ScriptedRegistry {
  const tags = new Map<string, Digest>();
  const pushed = new Set<Digest>();
  const failures: FetchImageError[] = [];
  const questions: string[] = [];
  let gate: Promise<void> | undefined;
  let open: () => void = () => {};

  const registry: ScriptedRegistry = {
    questions,
    rateLimit: undefined,
    push(reference, content) {
      const digest: Digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
      tags.set(keyOf(reference), digest);
      pushed.add(digest);
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
      await ask(asked, signal);
      const digest = tags.get(keyOf(asked));
      return digest && { digest, via: "HEAD", host, status: 200 };
    },
    async check(source, { cursor, known, want, previous, signal }) {
      const { repository } = source;
      const parsed = versionRule(source);
      if (!parsed.ok) throw parsed.error;
      const before = questions.length;
      const digests = new Map<string, Digest | "absent">(parsed.rule.mode === "tag" ? [] : known);
      const present = new Map<Digest, boolean>();
      let facts: RepositoryFacts = { digests, present, created: new Map() };
      for (;;) {
        const step = nextCheckStep(parsed.rule, { cursor, facts, want, previous });
        switch (step.next) {
          case "list-tags":
            await ask(repository, signal);
            facts = { ...facts, tags: tagsOf(repository) };
            break;
          case "resolve-tags":
            for (const tag of step.tags) {
              digests.set(tag, (await registry.resolve(source, tag, { signal }))?.digest ?? "absent");
            }
            break;
          case "probe-digest":
            await ask(`${repository}@${step.digest}`, signal);
            present.set(step.digest, pushed.has(step.digest));
            break;
          case "read-created":
            throw new Error("the images of a scripted registry have no time");
          case "fail":
            throw step.error;
          case "answer": {
            const { versions, rejected } = step;
            const status = versions.length === 0 && parsed.rule.mode === "tag" ? 404 : 200;
            const { rateLimit } = registry;
            const told = { via: "HEAD", host, status, ...(rateLimit && { rateLimit }) } as const;
            return { versions, rejected, ...told, requests: questions.length - before };
          }
        }
      }
    },
  };
  return registry;

  async function ask(question: string, signal: CancelSignal): Promise<void> {
    questions.push(question);
    if (gate !== undefined) {
      const aborted = new Promise<void>((resolve) => {
        signal.addEventListener("abort", resolve, { once: true });
      });
      await Promise.race([gate, aborted]);
    }
    if (signal.aborted) throw new FetchImageError("FI_ABORTED");
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
  }

  /** In the order in which they were pushed first. */
  function tagsOf(repository: string): readonly string[] {
    const prefix = keyOf(`${repository}:x`).slice(0, -1);
    return [...tags.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
  }
}

const host = "registry.example.com";

function keyOf(reference: string): string {
  const parsed = parseReference(reference);
  if (!parsed.ok) throw parsed.error;
  return parsed.reference.canonical;
}
