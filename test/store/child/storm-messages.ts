export interface StormTask {
  readonly url: string;
  /** How many streams are written to at the same time. */
  readonly writers: number;
}

export type StormReport =
  | { readonly kind: "ready" }
  | { readonly kind: "acknowledged"; readonly id: string }
  | { readonly kind: "followed"; readonly ids: readonly string[] };
