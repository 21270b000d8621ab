// What is looked at, as the page's address says it: to be shared, and kept by the browser's history.
import { computed, type ReadonlySignal, signal } from "@preact/signals";

export type ViewName = "fetches" | "tags" | "registries";

export interface Address {
  readonly view: ViewName;
  readonly build?: string;
  readonly fetch?: string;
  /** The revision that is looked at; absent for the newest, whichever that is. */
  readonly at?: string;
  /** Of the list of fetches. */
  readonly q?: string;
  /** Of the fetches' state; see `list.ts`. */
  readonly state?: string;
  /** The tag whose history is looked at. */
  readonly ref?: string;
  /** The scope whose history is looked at. */
  readonly scope?: string;
}

const views: readonly ViewName[] = ["fetches", "tags", "registries"];
const names = ["build", "fetch", "at", "q", "state", "ref", "scope"] as const;

const current = signal<Address>(read(location.search));

export const address: ReadonlySignal<Address> = current;

// Parts of it for what must not be done again with each step of the scrubber.
export const chosenBuild = computed(() => current.value.build);
export const chosenFetch = computed(() => current.value.fetch);
export const search = computed(() => current.value.q ?? "");
export const stateFilter = computed(() => current.value.state ?? "");

/** Goes there. `replace` leaves no step in the browser's history: for what changes with each key. */
export function go(
  change: { readonly [Name in keyof Address]?: Address[Name] | undefined },
  { replace = false }: { readonly replace?: boolean } = {},
): void {
  const next = Object.fromEntries(
    Object.entries({ ...current.peek(), ...change }).filter(([, value]) => value !== undefined && value !== ""),
  ) as unknown as Address;
  const search = write(next);
  if (search === write(current.peek())) return;
  if (!replace && replacing !== undefined) showNow();
  current.value = next;
  if (replace) replaceSoon();
  else history.pushState(null, "", shown());
}

/** Browsers refuse pages that change their address more often. */
const replaceMs = 120;
let replacing: ReturnType<typeof setTimeout> | undefined;
let replacedAt = 0;

function replaceSoon(): void {
  const wait = replacedAt + replaceMs - performance.now();
  if (wait <= 0) showNow();
  else replacing ??= setTimeout(showNow, wait);
}

function showNow(): void {
  clearTimeout(replacing);
  replacing = undefined;
  replacedAt = performance.now();
  history.replaceState(null, "", shown());
}

function shown(): string {
  return write(current.peek()) || location.pathname;
}

addEventListener("popstate", () => {
  current.value = read(location.search);
});

function read(search: string): Address {
  const given = new URLSearchParams(search);
  const found = names.flatMap((name) => {
    const value = given.get(name);
    return value === null || value === "" ? [] : [[name, value]];
  });
  return { view: views.find((name) => name === given.get("view")) ?? "fetches", ...Object.fromEntries(found) };
}

function write(to: Address): string {
  const query = new URLSearchParams();
  if (to.view !== "fetches") query.set("view", to.view);
  for (const name of names) {
    const value = to[name];
    if (value !== undefined) query.set(name, value);
  }
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}
