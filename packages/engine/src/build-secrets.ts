import { redactor } from "./redact.ts";
import { SecretScanner } from "./secret-scanner.ts";

/** What a build was told that must never be stored. It learns more with each fetch that is asked of it. */
export class BuildSecrets {
  /** Made when there is one. */
  #known: Set<string> | undefined;
  #redact: (text: string) => string = same;
  /** Made when the scheduler has something to say, and anew when there is more to keep. */
  #scanner: SecretScanner | undefined;

  /** Cuts what is known by now: whoever keeps it cuts nothing that is learned later. */
  get redact(): (text: string) => string {
    return this.#redact;
  }

  /** As {@link redact}, for a text that comes in pieces. */
  get scanner(): SecretScanner {
    this.#scanner ??= new SecretScanner([...(this.#known ?? [])]);
    return this.#scanner;
  }

  learn(secrets: readonly string[]): void {
    if (secrets.length === 0) return;
    this.#known ??= new Set();
    const before = this.#known.size;
    for (const secret of secrets) this.#known.add(secret);
    if (this.#known.size === before) return;
    this.#redact = redactor([...this.#known]);
    this.#scanner = undefined;
  }
}

function same(text: string): string {
  return text;
}
