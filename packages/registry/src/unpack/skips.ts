import { readable } from "./byte-text.ts";

export interface Skipped {
  readonly path: string;
  readonly why: string;
}

/** What was left out, told to the caller: a thousand of them and how many more. */
export class Skips {
  readonly #list: Skipped[] = [];
  #more = 0;

  /** @param path bytes, see byte-text.ts */
  add(path: string, why: string): void {
    if (this.#list.length < listed) this.#list.push({ path: readable(path), why });
    else this.#more++;
  }

  list(): readonly Skipped[] {
    return this.#more === 0 ? this.#list : [...this.#list, { path: "", why: `and ${this.#more} more` }];
  }
}

const listed = 999;
