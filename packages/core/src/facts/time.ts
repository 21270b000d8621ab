/** Milliseconds since the epoch, from ISO 8601 as facts hold it (`2026-11-22T04:40:00.000Z`). */
export function parseTime(iso: string): number {
  const days = daysFromCivil(digits(iso, 0, 4), digits(iso, 5, 7), digits(iso, 8, 10));
  const minutes = (days * 24 + digits(iso, 11, 13)) * 60 + digits(iso, 14, 16);
  return (minutes * 60 + digits(iso, 17, 19)) * 1000 + digits(iso, 20, 23);
}

/** ISO 8601, UTC, milliseconds: what `Date.prototype.toISOString` gives for the years 0 to 9999. */
export function formatTime(ms: number): string {
  if (ms === last.ms) return last.text;
  // Facts come in bursts, and those of one moment have one time; by turns with it comes when their claims end.
  const found = ms === before.ms ? before : { ms, text: formatted(ms) };
  before = last;
  last = found;
  return found.text;
}

let last = { ms: Number.NaN, text: "" };
let before = last;

function formatted(ms: number): string {
  const second = Math.floor(ms / 1000);
  return `${dateAndTime(second)}.${pad(Math.floor(ms - second * 1000), 3)}Z`;
}

/** Up to the second: so many facts come in one that they share its text. */
function dateAndTime(second: number): string {
  if (second === lastSecond.second) return lastSecond.text;
  const found = second === secondBefore.second ? secondBefore : { second, text: formattedSecond(second) };
  secondBefore = lastSecond;
  lastSecond = found;
  return found.text;
}

let lastSecond: { readonly second: number; readonly text: string } = { second: Number.NaN, text: "" };
let secondBefore = lastSecond;

function formattedSecond(second: number): string {
  const days = Math.floor(second / 86_400);
  const rest = second - days * 86_400;
  const [year, month, day] = civilFromDays(days);
  const date = `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
  return `${date}T${pad(Math.floor(rest / 3600), 2)}:${pad(Math.floor(rest / 60) % 60, 2)}:${pad(rest % 60, 2)}`;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, "0");
}

/** What the digits there count; NaN where there are others. */
function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN;
  }
  return value;
}

// The proleptic Gregorian calendar in 400-year eras that begin on 1 March, so that leap days come last.
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function civilFromDays(daysSinceEpoch: number): readonly [year: number, month: number, day: number] {
  const days = daysSinceEpoch + 719_468;
  const era = Math.floor(days / 146_097);
  const dayOfEra = days - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day];
}
