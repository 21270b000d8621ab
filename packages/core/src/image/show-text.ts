const longestShown = 100;

/** A text of the user's as messages show it: secrets cut, invisible characters spelt out, clipped, in quotes. */
export function showText(text: string): string {
  return `"${clip(spellOut(cutSecrets(text)))}"`;
}

/** `"Ф" (U+0424)` for a character outside of ASCII, `a space`, or the character in quotes. */
export function showCharacter(character: string): string {
  if (character === " ") return "a space";
  if (character === '"') return "a quotation mark";
  const code = character.codePointAt(0) ?? 0;
  if (code > 0x20 && code < 0x7f) return `"${character}"`;
  const name = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  return spellOut(character) === character ? `"${character}" (${name})` : name;
}

/**
 * Cuts what may be a secret in a text that is, or was meant to be, an address: userinfo, queries, `key=value` pairs,
 * and long runs of mixed letters and digits, as tokens are. Linear in the text's length.
 */
export function cutSecrets(text: string): string {
  return cutUserinfo(text)
    .replace(/([?#])[^]*/, "$1***")
    .replace(/=[^/:@=]+/g, "=***")
    .replace(/[A-Za-z0-9_-]{20,}/g, (run) => (looksLikeToken(run) ? "***" : run));
}

/** Cuts all before the last `@`, a digest's aside, unless that can be neither a user nor a token. */
function cutUserinfo(text: string): string {
  const last = text.lastIndexOf("@");
  const address = /^(?:sha\d*:|[a-z0-9+._-]+:[0-9a-fA-F]{32})/.test(text.slice(last + 1)) ? text.slice(0, last) : text;
  const at = address.lastIndexOf("@");
  // `busybox@latest` is a slip of the pen; `me:secret@host/path` is not.
  const harmless = !address.slice(0, at).includes(":") && !/[.:/@]/.test(address.slice(at + 1));
  return at === -1 || harmless ? text : `***${text.slice(at)}`;
}

function looksLikeToken(run: string): boolean {
  return /[a-z]/.test(run) && /[A-Z]/.test(run) && /[0-9]/.test(run);
}

/** Lone surrogates, controls, format characters, odd spaces: nobody can see them, and not every store can keep them. */
function spellOut(text: string): string {
  return text.replace(/(?! )[\p{C}\p{Z}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Never cuts a character in two. */
function clip(text: string): string {
  if (text.length <= longestShown) return text;
  return `${text.slice(0, longestShown).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
