import { FetchImageError } from "@fetch-image/core";
import type { V1Pod } from "@kubernetes/client-node";
import { podState, pullError } from "./pod-state.ts";
import { Deferred } from "./waiting.ts";

export interface PodLifeOptions {
  readonly container: string;
  /** The registry's words, where the pod itself does not have them. */
  readonly pullWords: (pod: V1Pod) => Promise<string>;
}

/** A pod's way, as those who wait for it need it. What comes in is what {@link followPod} sees. */
export class PodLife {
  readonly #options: PodLifeOptions;
  readonly #running = new Deferred<V1Pod>();
  readonly #failed = new Deferred<never>();
  #why = "no kubelet has taken it yet";
  #over = false;

  constructor(options: PodLifeOptions) {
    this.#options = options;
  }

  /** Resolves once the step's container runs. */
  get running(): Promise<V1Pod> {
    return this.#running.promise;
  }

  /** Rejects with a `FetchImageError` once the pod cannot do its step any more; never resolves. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** What a pod that does not run yet waits for. */
  get waitsFor(): string {
    return this.#why;
  }

  readonly onPod = (pod: V1Pod | undefined): void => {
    if (this.#over) return;
    const state = podState(pod, this.#options.container);
    switch (state.kind) {
      case "starting":
        this.#why = state.why;
        break;
      case "running":
        if (pod !== undefined) this.#running.resolve(pod);
        break;
      case "unpullable":
        this.#over = true;
        void this.#unpullable(pod, state);
        break;
      case "failed":
        this.fail(state.error);
    }
  };

  fail(error: unknown): void {
    this.#over = true;
    const known = FetchImageError.is(error) ? error : new FetchImageError("FI_INTERNAL", { cause: error });
    this.#running.reject(known);
    this.#failed.reject(known);
  }

  async #unpullable(pod: V1Pod | undefined, state: { readonly reason: string; readonly words: string }): Promise<void> {
    const image = pod?.spec?.containers.find(({ name }) => name === this.#options.container)?.image ?? "the image";
    let { words } = state;
    if (words === "" && pod !== undefined) {
      // The error tells less without them, and is the same error.
      words = await this.#options.pullWords(pod).catch(() => "");
    }
    this.fail(pullError(image, pod?.metadata?.name ?? "", { reason: state.reason, words }));
  }
}
