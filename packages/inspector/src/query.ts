import { FetchImageError } from "@fetch-image/core";

/** The query of a request: a misspelt name is told, not passed over. */
export class Query {
  readonly #given: URLSearchParams;

  constructor(given: URLSearchParams | string) {
    this.#given = new URLSearchParams(given);
  }

  /** Those of these names that are given; throws where there is another. `limit` is a number: see {@link number}. */
  take<Name extends string>(...names: readonly Name[]): { readonly [N in Exclude<Name, "limit">]?: string } {
    for (const name of this.#given.keys()) {
      if (!names.some((known) => known === name)) {
        const message = `${JSON.stringify(name)} is no parameter of this question`;
        throw invalid(message, names.length === 0 ? "It takes none." : `It takes ${names.join(", ")}.`);
      }
    }
    const found: string[][] = [...this.#given].filter(([name]) => name !== "limit");
    return Object.fromEntries(found);
  }

  need(name: string): string {
    const value = this.#given.get(name);
    if (value === null) throw invalid(`the parameter ${name} is missing`, `Write ?${name}=…`);
    return value;
  }

  /** NaN where it is none. */
  number(name: string): number | undefined {
    const text = this.#given.get(name);
    if (text === null) return undefined;
    return text.trim() === "" ? Number.NaN : Number(text);
  }
}

function invalid(message: string, hint: string): FetchImageError {
  return new FetchImageError("FI_QUERY_INVALID", { message, hint });
}
