import type { StoredEvent } from "./log.ts";
import type { ReadOptions } from "./read.ts";

/** Whether a filtered read or subscription gives the event; without a filter it gives everything. */
export function passes(filter: ReturnType<ReadOptions["getFilter"]>, event: StoredEvent): boolean {
  if (filter === undefined) return true;
  const [expression, value] = filter.hasEventType()
    ? [filter.getEventType(), event.type]
    : [filter.getStreamIdentifier(), event.stream];
  const regex = expression?.getRegex() ?? "";
  if (regex !== "") return new RegExp(regex).test(value);
  return (expression?.getPrefixList() ?? []).some((prefix) => value.startsWith(prefix));
}
