import { parseTime } from "../facts/time.ts";

/** What an image without `created` counts as: Go's zero time. */
export const neverCreated = "0001-01-01T00:00:00Z";

const rfc3339 =
  /^(?<date>\d{4}-\d{2}-\d{2})T(?<hour>\d{1,2}):(?<minutes>[0-5]\d:[0-5]\d)(?:[.,](?<fraction>\d+))?(?:Z|(?<sign>[+-])(?<zoneHours>\d{2}):(?<zoneMinutes>\d{2}))$/;

/**
 * Nanoseconds since the epoch of a config's `created` (RFC 3339, as image-spec's config.md has it); undefined where
 * the text is no such time. As lax as Go's `time.UnmarshalJSON`: the hour may have one digit, the fraction a comma,
 * the zone up to 24 hours and 60 minutes; digits after the ninth do not count. There are no leap seconds.
 */
export function parseCreated(text: string): bigint | undefined {
  const parts = text.length > 100 ? undefined : rfc3339.exec(text)?.groups;
  if (parts === undefined) return undefined;
  const { date = "", hour = "", minutes = "", fraction = "", sign, zoneHours = "0", zoneMinutes = "0" } = parts;
  if (!isDate(date) || Number(hour) > 23 || Number(zoneHours) > 24 || Number(zoneMinutes) > 60) return undefined;
  const zone = (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60_000;
  const milliseconds = parseTime(`${date}T${hour.padStart(2, "0")}:${minutes}.000Z`) - (sign === "-" ? -zone : zone);
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, "0").slice(0, 9));
}

function isDate(date: string): boolean {
  const [year = 0, month = 0, day = 0] = date.split("-").map(Number);
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  return days !== undefined && day >= 1 && day <= days;
}
