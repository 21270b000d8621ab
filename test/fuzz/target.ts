import { FetchImageError } from "@fetch-image/core";
import { type Material, mutate } from "./mutate.ts";
import { randomOf } from "./random.ts";

/** A parser that meets foreign bytes, and what must be true of it whatever they are. */
export interface FuzzTarget extends Material {
  /** A file name without its ending: what `pnpm fuzz` takes. */
  readonly name: string;
  /** Starts what the target needs, such as a server. */
  open(): Promise<OpenTarget>;
}

export interface OpenTarget extends AsyncDisposable {
  /** Hands the input over. Rejects, or throws, where something is not as it must be. */
  take(input: Uint8Array): Promise<void> | void;
}

export interface FuzzFailure {
  readonly target: string;
  /** Makes the very same input again: `pnpm fuzz TARGET --runs 1 --seed SEED`. */
  readonly seed: number;
  readonly input: Uint8Array;
  readonly error: unknown;
}

/** Hands over `runs` inputs made from consecutive seeds; gives the first failure. */
export async function fuzz(
  target: FuzzTarget,
  { runs, seed }: { readonly runs: number; readonly seed: number },
): Promise<FuzzFailure | undefined> {
  await using open = await target.open();
  for (let run = 0; run < runs; run++) {
    const input = inputOf(target, seed + run);
    try {
      await open.take(input);
    } catch (error) {
      return { target: target.name, seed: seed + run, input, error };
    }
  }
  return undefined;
}

export function inputOf(target: FuzzTarget, seed: number): Uint8Array {
  return mutate(target, randomOf(seed));
}

/** For what needs nothing but the input. */
export function pureTarget(
  target: Material & { readonly name: string; readonly take: (text: string) => void },
): FuzzTarget {
  const { name, seeds, words, take } = target;
  const open: OpenTarget = {
    take: (input) => take(Buffer.from(input).toString()),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return { name, seeds, words, open: () => Promise.resolve(open) };
}

/** The error itself, where it is one that users may meet; else what was thrown is the failure. */
export function expectOurs(error: unknown): FetchImageError {
  if (!FetchImageError.is(error) || error.code === "FI_INTERNAL") throw error;
  const text = JSON.stringify(error);
  if (text.length > 20_000) throw new Error(`an error of ${text.length} characters: ${text.slice(0, 200)}…`);
  // oxlint-disable-next-line no-control-regex -- that is what is looked for
  if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(error.message))
    throw new Error(`control characters in: ${error.message}`);
  return error;
}

export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

export function texts(...all: readonly string[]): readonly Uint8Array[] {
  return all.map((text) => Buffer.from(text));
}
