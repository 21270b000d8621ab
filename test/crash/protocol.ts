import type { FetchImageRequest, FetchTaskImageRequest } from "@fetch-image/engine";
import type { StoreAddress } from "./stores.ts";

/** What a worker is told: first where to work, then runs, of which several may be under way, at last to end. */
export type Command =
  | { readonly do: "open"; readonly store: StoreAddress; readonly registryHost: string; readonly claimMs?: number }
  | { readonly do: "run"; readonly run: RunOrder; readonly kill: KillOrder | null }
  | { readonly do: "count" }
  | { readonly do: "end" };

/** One build, and the images it wants. */
export interface RunOrder {
  readonly buildId: string;
  readonly fetches: readonly FetchOrder[];
}

export type FetchOrder =
  | { readonly kind: "type"; readonly fetchId: string; readonly request: FetchImageRequest }
  | { readonly kind: "task"; readonly fetchId: string; readonly request: FetchTaskImageRequest };

/** At which of the moments that a worker counts it kills itself. */
export interface KillOrder {
  /** `projection`: while a page of facts is projected, by the number of the page. */
  readonly of: "work" | "projection";
  /** From 1. */
  readonly moment: number;
  /** Turns of the event loop that what is under way is given before. */
  readonly turns: number;
}

/** What a worker says, each word written before it goes on. */
export type Report =
  | { readonly say: "ready" }
  | { readonly say: "opened" }
  | {
      readonly say: "acknowledged";
      readonly stream: string;
      readonly revision: string;
      readonly facts: readonly Told[];
    }
  | { readonly say: "step"; readonly kind: "check" | "get"; readonly buildId: string; readonly effectKey: string }
  | { readonly say: "image"; readonly buildId: string; readonly fetchId: string; readonly image: string }
  | { readonly say: "done"; readonly buildId: string }
  /** How often it has read streams of scopes. */
  | { readonly say: "counted"; readonly scopeReads: number }
  | { readonly say: "failed"; readonly what: string };

/** A fact as its writer knows it. */
interface Told {
  readonly id: string;
  /** JSON. */
  readonly data: string;
}
