/**
 * Whether a part of a host's name matches a glob: `*`, `[abc]` and `[a-z]`, as far as Go's filepath.Match gets to see them.
 * (Before it does, the key is read as a URL, in which `?`, `^` and a backslash are no part of a host.) A malformed glob
 * matches nothing. Takes time in proportion to the product of both lengths.
 */
export function matchesGlob(glob: string, text: string): boolean {
  const tokens = tokensOf(glob);
  if (tokens === undefined) return false;
  const characters = Array.from(text);
  // The lengths of the beginnings of the text that the tokens so far match.
  let reached: readonly number[] = [0];
  for (const token of tokens) {
    const [first = characters.length + 1] = reached;
    reached =
      token === "*"
        ? Array.from({ length: Math.max(0, characters.length + 1 - first) }, (_, more) => first + more)
        : reached.filter((at) => token(characters[at] ?? "")).map((at) => at + 1);
  }
  return reached.includes(characters.length);
}

/** A test for one character, which nothing at all does not pass. */
type Token = "*" | ((character: string) => boolean);

function tokensOf(glob: string): readonly Token[] | undefined {
  const tokens: Token[] = [];
  const left = Array.from(glob);
  for (let character = left.shift(); character !== undefined; character = left.shift()) {
    const literal = character;
    const token = literal === "*" ? literal : literal === "[" ? classOf(left) : (one: string) => one === literal;
    if (token === undefined) return undefined;
    tokens.push(token);
  }
  return tokens;
}

/** What stands between brackets, taken off the beginning; undefined where it never ends or a range has no end. */
function classOf(left: string[]): Token | undefined {
  const ranges: (readonly [string, string])[] = [];
  for (let low = left.shift(); low !== undefined && low !== "-"; low = left.shift()) {
    if (low === "]") {
      return ranges.length === 0 ? undefined : (one) => ranges.some(([from, to]) => from <= one && one <= to);
    }
    if (left[0] === "-") left.shift();
    else left.unshift(low);
    const high = left.shift();
    if (high === undefined || high === "-" || high === "]") return undefined;
    ranges.push([low, high]);
  }
  return undefined;
}
