/** One challenge of a `WWW-Authenticate` header: `Bearer realm="…",service="…"`. Names are in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * Reads challenges by RFC 7235 §2.1 and §4.1: several to a header and several headers, quoted strings with commas and
 * escapes, parameters and schemes in any case, `token68` credentials skipped. Never throws; takes time in proportion
 * to the text. What is no challenge is passed over up to the next comma.
 */
export function parseChallenges(headers: readonly string[]): readonly Challenge[] {
  return headers.flatMap((header) => readHeader(header));
}

function readHeader(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const text = scan(header);
  while (!text.atEnd()) {
    text.skip(isSeparator);
    const name = text.take(isTokenCharacter).toLowerCase();
    if (name === "") {
      text.skip((character) => character !== ",");
      continue;
    }
    const spaces = text.skip(isBlank);
    const current = challenges.at(-1);
    if (current && text.peek() === "=") {
      const value = readValue(text);
      // The first of two equal names stands: a second one cannot have been meant to replace it.
      if (!current.parameters.has(name)) current.parameters.set(name, value);
      continue;
    }
    challenges.push({ scheme: name, parameters: new Map() });
    if (spaces > 0) skipToken68(text);
  }
  return challenges;
}

function readValue(text: Scanner): string {
  text.next();
  text.skip(isBlank);
  if (text.peek() !== '"') return text.take(isTokenCharacter);
  text.next();
  let value = "";
  while (!text.atEnd()) {
    const character = text.next();
    if (character === '"') break;
    value += character === "\\" ? text.next() : character;
  }
  return value;
}

// `Negotiate YIIC…==`: what follows the scheme is one word with nothing but a comma after it.
function skipToken68(text: Scanner): void {
  const start = text.position();
  text.skip((character) => /[A-Za-z0-9._~+/-]/.test(character));
  text.skip((character) => character === "=");
  text.skip(isBlank);
  if (!text.atEnd() && text.peek() !== ",") text.back(start);
}

interface Scanner {
  atEnd(): boolean;
  peek(): string;
  next(): string;
  position(): number;
  back(to: number): void;
  take(accepts: (character: string) => boolean): string;
  skip(accepts: (character: string) => boolean): number;
}

function scan(text: string): Scanner {
  let at = 0;
  const skip = (accepts: (character: string) => boolean): number => {
    const from = at;
    while (at < text.length && accepts(text.charAt(at))) at++;
    return at - from;
  };
  return {
    atEnd: () => at >= text.length,
    peek: () => text.charAt(at),
    next: () => text.charAt(at++),
    position: () => at,
    back: (to) => (at = to),
    take(accepts) {
      const from = at;
      skip(accepts);
      return text.slice(from, at);
    },
    skip,
  };
}

function isTokenCharacter(character: string): boolean {
  return /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(character);
}

function isBlank(character: string): boolean {
  return character === " " || character === "\t";
}

function isSeparator(character: string): boolean {
  return isBlank(character) || character === ",";
}
