/** The text as a column of PostgreSQL can hold it: U+FFFD stands for U+0000 and for half a surrogate pair. */
export function toText(text: string): string {
  return text.replaceAll(/\0|\p{Surrogate}/gu, "\uFFFD");
}
