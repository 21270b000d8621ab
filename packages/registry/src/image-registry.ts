import {
  type CancelSignal,
  type Digest,
  FetchImageError,
  type ImageRegistry,
  type ListedImage,
  pullableRepository,
  type PullCredentials,
  type RegistryCheck,
  type RegistryImageSource,
  tagError,
  versionRule,
  type VersionRule,
} from "@fetch-image/core/registry-image";
import type { LoginDescription } from "./auth/configured-login.ts";
import { createSourceLogins } from "./auth/source-logins.ts";
import { type CheckParts, checkTarget } from "./check.ts";
import { createConversation, type RegistryParts } from "./conversation.ts";
import { rememberDates } from "./created.ts";
import type { Pull } from "./fetch-image.ts";
import { createPlaces, locate, type Target, type Targets } from "./locate.ts";
import { createPatience } from "./patience.ts";
import type { FetchArtifactOptions, FetchedArtifact } from "./pull-to-layout.ts";
import type { ImageToPush } from "./push/image-to-push.ts";
import type { PushedImage, PushImageOptions } from "./push/push-image.ts";
import { Questions } from "./questions.ts";
import { digestExists, resolveTag } from "./resolve.ts";
import { type RegistryOptions, registrySettings } from "./settings.ts";
import type { FetchImageOptions, StoredImage } from "./stored-image.ts";
import { createTagBook, type TagMemory } from "./tag-book.ts";
import { createTrust } from "./transport/certificates.ts";
import { aborted } from "./transport/deadline.ts";
import { createTransport } from "./transport/transport.ts";

/** OCI registries over HTTP. One object per process: it keeps connections and tokens. */
export interface OciRegistry extends ImageRegistry, PullCredentials, AsyncDisposable {
  /** Whether the registry still has the digest: a HEAD by digest. Rejects as `resolve` does. */
  exists(source: RegistryImageSource, digest: Digest, options: { readonly signal: CancelSignal }): Promise<boolean>;
  listed(
    source: RegistryImageSource,
    digest: Digest,
    options: { readonly signal: CancelSignal },
  ): Promise<readonly ListedImage[] | undefined>;
  /**
   * Brings the image of a digest into the store: one platform of it or all, with its layers or without. A source's
   * mirror is asked first, and what it cannot give is asked of the registry itself.
   *
   * Unlike the other questions this one is tried again by itself, with what came already kept: broken connections,
   * 408, 429 (obeying `Retry-After`), 500, 502, 503 and 504, as long as `timeouts.downloadPatienceMs` allows (a mirror,
   * a tenth of it). What it then rejects with is not retryable and says until when the registry is limited
   * (`details.until`). Only where the registry asked at once for a longer wait than all of that, `retryable` and
   * `details.retryAfterMs` leave it to a more patient caller.
   *
   * Rejects as `resolve` does, with `FI_IMAGE_UNKNOWN` on 404 and with `FI_PLATFORM_UNAVAILABLE`, and as the store does.
   */
  fetchImage(source: RegistryImageSource, digest: Digest, options: FetchImageOptions): Promise<StoredImage>;
  /** `fetchImage` of one platform, and an OCI image layout of it. */
  fetchArtifact(source: RegistryImageSource, digest: Digest, options: FetchArtifactOptions): Promise<FetchedArtifact>;
  /**
   * Pushes an image to the source's repository (its tag aside) as the OCI distribution API has it: blobs side by side, those
   * that the registry has or can mount left out, manifests by their digests, the tag last. Every byte is hashed on its way,
   * and what the registry says that it has got must be that. To push the same again costs one question.
   *
   * Tried again by itself as `fetchImage` is; an upload that broke off goes on where the registry tells how far it came.
   * Rejects as `resolve` does, and with `FI_DIGEST_MISMATCH` where the bytes have changed, or arrived as others.
   */
  push(source: RegistryImageSource, image: ImageToPush, options: PushImageOptions): Promise<PushedImage>;
  /** Which login a source is asked with and where that comes from, without secrets. Asks nobody. */
  login(source: RegistryImageSource): LoginDescription;
  /**
   * The repository of a source as the resource writes it down for a get: as the source has it, with ECR's host before it
   * where a region turns ECR on; that may take a login.
   */
  repositoryOf(source: RegistryImageSource, options: { readonly signal: CancelSignal }): Promise<string>;
  /** Closes the connections; what is in flight ends with `FI_ABORTED`. */
  close(): Promise<void>;
}

/** Throws `FI_SETTING_INVALID`. One call of the result is one attempt: whoever calls decides about the next. */
export function createImageRegistry(options: RegistryOptions = {}): OciRegistry {
  const settings = registrySettings(options);
  const transport = createTransport(settings);
  const conversation = createConversation(settings, transport);
  const logins = createSourceLogins({ transport, settings });
  const trustOf = createTrust();
  const placeOf = createPlaces(settings);
  const parts: RegistryParts = { conversation, settings };
  const dates = rememberDates();
  const book = createTagBook();

  return {
    unanswerable: (source) => logins.unanswerable(source),
    identity: (source) => logins.identity(source),
    login: (source) => logins.describe(source),
    async repositoryOf(source, { signal }) {
      if (!source.aws_region) return source.repository;
      return pullableRepository(source) ?? (await targetsOf(source, signal))[0].name;
    },
    async pullCredentials(source, { signal }) {
      const ofSource = { ...logins, docker: () => undefined };
      const targets = await locate(source, { placeOf, trustOf, logins: ofSource, signal });
      return targets.flatMap((target) => {
        if (target?.credential === undefined) return [];
        const { username, password } = target.credential;
        return [{ registry: target.domain, username, password }];
      });
    },
    async resolve(source, tag, { signal }) {
      refuseTag(source, tag);
      return firstThatKnows(await targetsOf(source, signal), async (target) => {
        const { digest, evidence } = await resolveTag(parts, target, tag, signal);
        return digest && { digest, ...evidence, ...pulledFrom(target) };
      });
    },
    check(source, options) {
      try {
        const rule = ruleOf(source);
        const asking: CheckParts = { settings, conversation: new Questions(conversation) };
        const ask = (target: Target): Promise<RegistryCheck> => {
          const memory = rule.mode === "tag" ? undefined : memoryOf(source, target);
          return checkTarget(asking, target, { rule, options, dates, memory });
        };
        const isFound = ({ versions }: RegistryCheck): boolean => versions.length > 0;
        const targets = targetsOf(source, options.signal);
        if (targets instanceof Promise) return targets.then((located) => firstThatKnows(located, ask, isFound));
        return firstThatKnows(targets, ask, isFound);
      } catch (error) {
        return Promise.reject(error);
      }
    },
    async exists(source, digest, { signal }) {
      const found = await firstThatKnows(await targetsOf(source, signal), async (target) =>
        (await digestExists(parts, target, digest, signal)) ? true : undefined,
      );
      return found === true;
    },
    // Loaded when they are needed: a check starts without them.
    async listed(source, digest, { signal }) {
      const { listedBy } = await import("./listed.ts");
      return firstThatKnows(await targetsOf(source, signal), (target) =>
        listedBy({ ...parts, target }, digest, signal),
      );
    },
    async fetchImage(source, digest, options) {
      const { fetchImage } = await import("./fetch-image.ts");
      return pull(source, options, (each) => fetchImage(each, digest));
    },
    async fetchArtifact(source, digest, options) {
      const { pullToLayout } = await import("./pull-to-layout.ts");
      return pull(source, options, (each) => pullToLayout(each, digest));
    },
    async push(source, image, options) {
      if (options.tag !== undefined) refuseTag(source, options.tag);
      const { pushImage } = await import("./push/push-image.ts");
      const targets = await targetsOf(source, options.signal);
      // A mirror takes no pushes.
      const target = targets[1] ?? targets[0];
      const patience = createPatience(settings.timeouts.downloadPatienceMs, settings);
      return await pushImage({ ...parts, target, patience, options }, image);
    },
    close: () => transport.close(),
    [Symbol.asyncDispose]: () => transport.close(),
  };

  function memoryOf(source: RegistryImageSource, { name }: Target): TagMemory {
    return book.of(source, { name: `${name} ${JSON.stringify(logins.identity(source) ?? {})}` });
  }

  /** At once where nobody has to log in first. */
  function targetsOf(source: RegistryImageSource, signal: CancelSignal): Targets | Promise<Targets> {
    if (signal.aborted) throw aborted(signal.reason);
    return locate(source, { placeOf, trustOf, logins, signal });
  }

  async function pull<T>(
    source: RegistryImageSource,
    options: FetchImageOptions,
    from: (pull: Pull) => Promise<T>,
  ): Promise<T> {
    const targets = await targetsOf(source, options.signal);
    const { downloadPatienceMs } = settings.timeouts;
    return firstThatKnows(targets, (target) => {
      const mirrored = targets[1] !== undefined && target === targets[0];
      const patience = createPatience(mirrored ? downloadPatienceMs / mirrorShare : downloadPatienceMs, settings);
      return from({ ...parts, target, mirrored, patience, options });
    });
  }

  // Whatever a mirror cannot answer, the registry itself is asked for, as the resource does it.
  function firstThatKnows<T>(
    [first, second]: Targets,
    ask: (target: Target) => Promise<T>,
    knows: (answer: T) => boolean = (answer) => answer !== undefined,
  ): Promise<T> {
    return second === undefined ? ask(first) : mirrorFirst([first, second], ask, knows);
  }

  async function mirrorFirst<T>(
    [first, second]: readonly [Target, Target],
    ask: (target: Target) => Promise<T>,
    knows: (answer: T) => boolean,
  ): Promise<T> {
    try {
      const answer = await ask(first);
      if (knows(answer)) return answer;
    } catch (error) {
      if (!FetchImageError.is(error) || error.code === "FI_ABORTED" || error.code.startsWith("FI_STORE_")) throw error;
      settings.logger.warn("the registry mirror gave no answer", { mirror: first.domain, code: error.code });
    }
    return ask(second);
  }
}

// Somebody else can be asked: no need to wait long for a mirror.
const mirrorShare = 10;

function pulledFrom({ pulledFrom: repository }: Target): { readonly repository?: string } {
  return repository === undefined ? {} : { repository };
}

function ruleOf(source: RegistryImageSource): VersionRule {
  const parsed = versionRule(source);
  if (!parsed.ok) throw parsed.error;
  if (parsed.rule.mode === "tag") refuseTag(source, parsed.rule.tag);
  return parsed.rule;
}

function refuseTag({ repository }: RegistryImageSource, tag: string): void {
  const error = tagError(repository, tag);
  if (error !== undefined) throw error;
}
