import { FetchImageError, type Position } from "@fetch-image/core/fetching";

/** The number behind a position of a log that counts them; 0 before the first. Rejects what such a log never gave. */
export function positionNumber(position: Position | undefined): bigint {
  if (position === undefined) return 0n;
  if (!/^[0-9]{1,18}$/.test(position)) {
    throw new FetchImageError("FI_POSITION_INVALID", {
      message: `${JSON.stringify(position.slice(0, 100))} is not a position of this event log`,
    });
  }
  return BigInt(position);
}
