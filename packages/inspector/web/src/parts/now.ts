// The time of day, for ages and countdowns: one tick a second for the whole page.
import { duration } from "@fetch-image/core";
import { signal } from "@preact/signals";

/** Milliseconds since the epoch. */
export const now = signal(Date.now());

setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 1000);

/** How long ago, roughly. */
export function age(time: string): string {
  return duration(Math.max(0, Math.floor((now.value - Date.parse(time)) / 1000) * 1000));
}

/** `14:03:07.250`, UTC. */
export function timeOfDay(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23);
}
