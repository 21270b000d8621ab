import { secretForms } from "./redact.ts";

/** What is known to be free of secrets, and what may be the beginning of one. */
export interface Scanned {
  readonly text: string;
  /** Goes before what comes next. */
  readonly held: string;
}

/** Line breaks that may stand between any two characters of a secret: as it is wrapped, or has them itself. */
const mostBreaks = 4;

/** Stands for a secret. */
export const mark = "((redacted))";

/**
 * Cuts secrets out of a text that comes in pieces: however it is cut, the pieces' results together are those of the whole.
 * A secret is found where its characters stand one behind the other, line breaks between them aside. What may be the
 * beginning of one is held until more has come.
 */
export class SecretScanner {
  /** By their first character, without line breaks, the longest first. */
  readonly #forms = new Map<string, string[]>();
  readonly #first: RegExp | undefined;

  constructor(secrets: readonly string[]) {
    const forms = new Set(secretForms(secrets).map((form) => form.replaceAll(/[\r\n]/g, "")));
    for (const form of [...forms].toSorted((a, b) => b.length - a.length)) {
      const first = form.charAt(0);
      if (first === "") continue;
      const all = this.#forms.get(first) ?? [];
      all.push(form);
      this.#forms.set(first, all);
    }
    const firsts = [...this.#forms.keys()].map((first) => `\\u${first.charCodeAt(0).toString(16).padStart(4, "0")}`);
    this.#first = firsts.length === 0 ? undefined : new RegExp(`[${firsts.join("")}]`, "g");
  }

  /** `ends`: nothing more comes, so nothing is held. */
  scan(text: string, ends: boolean): Scanned {
    let safe = "";
    let copied = 0;
    for (let at = this.#next(text, 0); at < text.length;) {
      const end = this.#match(text, at);
      if (end === "open" && !ends) return { text: safe + text.slice(copied, at), held: text.slice(at) };
      const cut = end === "open" ? this.#closed(text, at) : end;
      if (cut === undefined) {
        at = this.#next(text, at + 1);
        continue;
      }
      safe += text.slice(copied, at) + mark;
      copied = cut;
      at = this.#next(text, cut);
    }
    // Half of a character is no text yet.
    const end = !ends && text.length > copied && /[\uD800-\uDBFF]$/.test(text) ? text.length - 1 : text.length;
    return { text: safe + text.slice(copied, end), held: text.slice(end) };
  }

  /** A text that may go on elsewhere: what of a secret stands at its end is cut out where it is half of it or more. */
  cutOff(text: string): string {
    const { text: safe } = this.scan(text, true);
    for (let from = 0; from < safe.length; from++) {
      if (this.#isMostOfOne(safe.slice(from))) return safe.slice(0, from) + mark;
    }
    return safe;
  }

  /**
   * Where the end of a secret ends with which the text begins, half of it or more: what stood before was cut off. 0 where
   * there is none; "open" where there may be one, once more has come.
   */
  endOfOneBefore(text: string): number | "open" {
    let begin = 0;
    while (begin < mostBreaks && isBreak(text.charCodeAt(begin))) begin++;
    let longest = 0;
    for (const form of this.#all()) {
      for (let from = 1; from * 2 <= form.length; from++) {
        const end = endOf(form.slice(from), text, begin);
        if (end === "open") return "open";
        longest = Math.max(longest, end ?? 0);
      }
    }
    return longest;
  }

  /** Whether all of the text stands in a secret, and is half of it or more. */
  #isMostOfOne(text: string): boolean {
    const plain = text.replaceAll(/[\r\n]/g, "");
    return plain !== "" && this.#all().some((form) => plain.length * 2 >= form.length && form.includes(plain));
  }

  #all(): readonly string[] {
    return [...this.#forms.values()].flat();
  }

  #next(text: string, from: number): number {
    if (this.#first === undefined) return text.length;
    this.#first.lastIndex = from;
    return this.#first.exec(text)?.index ?? text.length;
  }

  /** Where the longest secret ends that stands here; "open" where a longer one may, once more has come. */
  #match(text: string, at: number): number | "open" | undefined {
    for (const form of this.#forms.get(text.charAt(at)) ?? []) {
      const end = endOf(form, text, at);
      if (end !== undefined) return end;
    }
    return undefined;
  }

  /** As {@link #match}, where nothing more comes. */
  #closed(text: string, at: number): number | undefined {
    for (const form of this.#forms.get(text.charAt(at)) ?? []) {
      const end = endOf(form, text, at);
      if (typeof end === "number") return end;
    }
    return undefined;
  }
}

/** Behind the form's last character; "open" where the text ends before the form does. */
function endOf(form: string, text: string, from: number): number | "open" | undefined {
  let at = from;
  for (let index = 0; index < form.length; index++) {
    const wanted = form.charCodeAt(index);
    const most = index === 0 ? at : at + mostBreaks;
    while (at < most && isBreak(text.charCodeAt(at))) at++;
    if (at >= text.length) return "open";
    if (text.charCodeAt(at) !== wanted) return undefined;
    at++;
  }
  return at;
}

function isBreak(code: number): boolean {
  return code === 10 || code === 13;
}
