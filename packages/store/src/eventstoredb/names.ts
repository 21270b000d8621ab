import { buildNumbersStream, type EventFilter, FetchImageError, streamPrefixes } from "@fetch-image/core/fetching";
import { isName } from "../facts/append-request.ts";

/** Without a namespace, in words. */
export const ownStreams: string = streamPrefixes
  .map((prefix) => (prefix === buildNumbersStream ? prefix : `${prefix}…`))
  .join(", ")
  .replace(/, ([^,]*)$/, " and $1");

/**
 * Which of the server's streams are ours, and what they are called there. In a namespace `ci`, stream `build-1` is
 * `ci.build-1`, and everything in it is ours; its category, by which EventStoreDB's projections go, is then `ci.build`.
 * Without one, names are as they are, and ours are `build-…`, `imageScope-…`, `imageRegistry-…`, `shadow-…` and `buildNumbers`: the
 * server may serve others too.
 */
export class Names {
  readonly #namespace: string;
  readonly #own: readonly string[];

  constructor(namespace: string | undefined) {
    if (namespace !== undefined && !/^[A-Za-z0-9_][A-Za-z0-9_.]{0,62}$/.test(namespace)) {
      throw new FetchImageError("FI_SETTING_INVALID", {
        message: "the namespace in EventStoreDB must be 1 to 63 letters, digits, _ or dots",
      });
    }
    this.#namespace = namespace === undefined ? "" : `${namespace}.`;
    this.#own = namespace === undefined ? streamPrefixes : [""];
  }

  isOurs(stream: string): boolean {
    return this.#own.some((prefix) => stream.startsWith(prefix));
  }

  onServer(stream: string): string {
    return this.#namespace + stream;
  }

  /** Undefined for a stream that is not ours. */
  fromServer(name: string): string | undefined {
    if (!name.startsWith(this.#namespace)) return undefined;
    const stream = name.slice(this.#namespace.length);
    return this.isOurs(stream) ? stream : undefined;
  }

  /** What the names of all streams that can pass begin with, on the server; none where nothing can. */
  prefixes(filter: Exclude<EventFilter, { stream: string }> | undefined): readonly string[] {
    const asked =
      filter === undefined ? [""] : filter.streamPrefixes.filter((prefix) => prefix === "" || isName(prefix));
    const both = this.#own.flatMap((own) =>
      asked.flatMap((prefix) => (prefix.startsWith(own) ? [prefix] : own.startsWith(prefix) ? [own] : [])),
    );
    return [...new Set(both)].map((prefix) => this.onServer(prefix));
  }
}
