import type { TimeRange } from "@fetch-image/core/fetching";
import { toText } from "../facts/text.ts";
import type { SqlParameter } from "./sql.ts";

/** The conditions of one statement, joined by `and`, and its parameters. */
export class Where {
  readonly parameters: SqlParameter[] = [];
  readonly #conditions: string[] = [];

  /** `where …`; empty where there is no condition. */
  get text(): string {
    return this.#conditions.length === 0 ? "" : `where ${this.#conditions.join(" and ")}`;
  }

  /** The placeholder of a further parameter. */
  take(value: string | number | Uint8Array): string {
    return `$${this.parameters.push(typeof value === "string" ? toText(value) : value)}`;
  }

  and(condition: string): void {
    this.#conditions.push(condition);
  }

  /** No condition where there is no value. */
  equal(column: string, value: string | undefined): void {
    if (value !== undefined) this.and(`${column} = ${this.take(value)}`);
  }

  range(column: string, { since, until }: { readonly [Edge in keyof TimeRange]: string | undefined }): void {
    if (since !== undefined) this.and(`${column} >= ${this.take(since)}::timestamptz`);
    if (until !== undefined) this.and(`${column} < ${this.take(until)}::timestamptz`);
  }
}
