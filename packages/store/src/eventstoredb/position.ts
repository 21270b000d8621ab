import { FetchImageError, type Position } from "@fetch-image/core/fetching";

/** A place in `$all`, as the client has it. */
export interface LogPosition {
  readonly commit: bigint;
  readonly prepare: bigint;
}

/** `esdb:4711`; the prefix tells it from a position of another kind of store, which would lead into nowhere. */
export function positionText({ commit, prepare }: LogPosition): Position {
  return commit === prepare ? `esdb:${commit}` : `esdb:${commit}/${prepare}`;
}

/** Rejects with `FI_POSITION_INVALID` what EventStoreDB never gave. */
export function logPosition(position: Position): LogPosition {
  const [, first, second] = /^esdb:([0-9]{1,19})(?:\/([0-9]{1,19}))?$/.exec(position) ?? [];
  if (first === undefined) {
    throw new FetchImageError("FI_POSITION_INVALID", {
      message: `${JSON.stringify(position.slice(0, 100))} is not a position of EventStoreDB's`,
    });
  }
  const commit = BigInt(first);
  return { commit, prepare: second === undefined ? commit : BigInt(second) };
}

/** Whether `a` comes after `b`; everything comes after undefined. */
export function isAfter(a: LogPosition, b: LogPosition | undefined): boolean {
  return b === undefined || a.commit > b.commit || (a.commit === b.commit && a.prepare > b.prepare);
}
