import {
  type CancelSignal,
  type Digest,
  FetchImageError,
  type ImageRegistry,
  parseReference,
  type RegistryImageSource,
  versionRule,
  type VersionRule,
} from "@fetch-image/core";
import { checkTarget } from "./check.ts";
import { createConversation, type RegistryParts } from "./conversation.ts";
import { rememberDates } from "./created.ts";
import { locate, type Target, type Targets } from "./locate.ts";
import { type FetchArtifactOptions, type FetchedArtifact, pullToLayout } from "./pull-to-layout.ts";
import { digestExists, resolveTag } from "./resolve.ts";
import { type RegistryOptions, registrySettings } from "./settings.ts";
import { createTrust } from "./transport/certificates.ts";
import { aborted } from "./transport/deadline.ts";

/** OCI registries over HTTP. One object per process: it keeps connections and tokens. */
export interface OciRegistry extends ImageRegistry, AsyncDisposable {
  /** Whether the registry still has the digest: a HEAD by digest. Rejects as `resolve` does. */
  exists(source: RegistryImageSource, digest: Digest, options: { readonly signal: CancelSignal }): Promise<boolean>;
  /**
   * Pulls the image of a digest, one platform of it, into the store as an OCI image layout. Rejects as `resolve` does,
   * with `FI_IMAGE_UNKNOWN` on 404 and with `FI_PLATFORM_UNAVAILABLE`, and as the store does.
   */
  fetchArtifact(source: RegistryImageSource, digest: Digest, options: FetchArtifactOptions): Promise<FetchedArtifact>;
  /** Closes the connections; what is in flight ends with `FI_ABORTED`. */
  close(): Promise<void>;
}

/** Throws `FI_SETTING_INVALID`. One call of the result is one attempt: whoever calls decides about the next. */
export function createImageRegistry(options: RegistryOptions = {}): OciRegistry {
  const settings = registrySettings(options);
  const conversation = createConversation(settings);
  const trustOf = createTrust();
  const parts: RegistryParts = { conversation, settings };
  const dates = rememberDates();

  return {
    async resolve(source, tag, { signal }) {
      refuseTag(source, tag);
      return firstThatKnows(targetsOf(source, signal), async (target) => {
        const { digest, evidence } = await resolveTag(parts, target, tag, signal);
        return digest && { digest, ...evidence };
      });
    },
    async check(source, options) {
      const rule = ruleOf(source);
      let requests = 0;
      const check = { ...options, rule, dates, onQuestion: () => requests++ };
      const found = await firstThatKnows(
        targetsOf(source, options.signal),
        (target) => checkTarget(parts, target, check),
        ({ versions }) => versions.length > 0,
      );
      return { ...found, requests };
    },
    async exists(source, digest, { signal }) {
      const found = await firstThatKnows(targetsOf(source, signal), async (target) =>
        (await digestExists(parts, target, digest, signal)) ? true : undefined,
      );
      return found === true;
    },
    async fetchArtifact(source, digest, options) {
      const targets = targetsOf(source, options.signal);
      return firstThatKnows(targets, (target) => pullToLayout({ ...parts, target, options }, digest));
    },
    close: () => conversation.close(),
    [Symbol.asyncDispose]: () => conversation.close(),
  };

  function targetsOf(source: RegistryImageSource, signal: CancelSignal): Targets {
    if (signal.aborted) throw aborted(signal.reason);
    return locate(source, settings, trustOf);
  }

  // Whatever a mirror cannot answer, the registry itself is asked for, as the resource does it.
  async function firstThatKnows<T>(
    [first, second]: Targets,
    ask: (target: Target) => Promise<T>,
    knows: (answer: T) => boolean = (answer) => answer !== undefined,
  ): Promise<T> {
    if (!second) return ask(first);
    try {
      const answer = await ask(first);
      if (knows(answer)) return answer;
    } catch (error) {
      if (!FetchImageError.is(error) || error.code === "FI_ABORTED") throw error;
      settings.logger.warn("the registry mirror gave no answer", { mirror: first.domain, code: error.code });
    }
    return ask(second);
  }
}

function ruleOf(source: RegistryImageSource): VersionRule {
  const parsed = versionRule(source);
  if (!parsed.ok) throw parsed.error;
  if (parsed.rule.mode === "tag") refuseTag(source, parsed.rule.tag);
  return parsed.rule;
}

function refuseTag({ repository }: RegistryImageSource, tag: string): void {
  const parsed = parseReference(`${repository}:${tag}`);
  if (!parsed.ok) throw parsed.error;
}
