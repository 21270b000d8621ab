import type { Json } from "@fetch-image/core/basics";

/**
 * Reads JSON in which the numbers of one field stay as they were written: `{"tag": 1.10}` has the tag "1.10", as Go's
 * raw messages have it, and not 1.1. Throws `SyntaxError` as `JSON.parse` does.
 */
export function withNumbersAsWritten(text: string, field: string): Json {
  const plain: Json = JSON.parse(text);
  const quoted = `"${field}"`;
  const tokens = [...text.matchAll(token)];
  const numbers = tokens.filter(
    ([found], at) => number.test(found) && tokens[at - 1]?.[0] === ":" && tokens[at - 2]?.[0] === quoted,
  );
  if (numbers.length === 0) return plain;
  let rewritten = "";
  let end = 0;
  for (const { 0: found, index } of numbers) {
    rewritten += `${text.slice(end, index)}"${found}"`;
    end = index + found.length;
  }
  return JSON.parse(rewritten + text.slice(end));
}

// Of a text that is JSON: strings whole, so that nothing inside one is taken for a field.
const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;
const number = /^-?\d/;
