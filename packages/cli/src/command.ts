import type { Logger } from "@fetch-image/core/basics";
import type { EffectiveSettings } from "./effective-settings.ts";
import type { SettingKey } from "./settings.ts";
import type { Terminal } from "./terminal.ts";

/** An option of one command; settings have flags of their own. */
export interface Option {
  /** Without dashes. */
  readonly name: string;
  /** Stands for the value in help; without one the option is a switch. */
  readonly value?: string;
  /** May be given more than once. */
  readonly repeatable?: true;
  /** No full stop. */
  readonly does: string;
}

export interface Command {
  /** Behind the command's name: `PIPELINE.yml [--job JOB]`. */
  readonly usage: string;
  /** A few sentences. */
  readonly about: string;
  readonly positionals: { readonly min: number; readonly max: number };
  readonly options: readonly Option[];
  /** The settings that bear on it, whose flags it takes. */
  readonly settings: readonly SettingKey[];
  readonly examples: readonly string[];
  /** Gives the exit status. */
  run(context: CommandContext): Promise<number>;
}

export interface CommandContext {
  readonly positionals: readonly string[];
  readonly options: GivenOptions;
  readonly settings: EffectiveSettings;
  /** One JSON document, or one per line, instead of text. */
  readonly json: boolean;
  readonly terminal: Terminal;
  readonly logger: Logger;
  readonly secrets: Secrets;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
  readonly cwd: string;
  /** Standard input, not touched before it is asked for. */
  readonly stdin: () => Stdin;
  readonly env: { readonly [name: string]: string | undefined };
}

export interface Stdin extends AsyncIterable<Uint8Array | string> {
  /** Whether somebody types it. */
  readonly isTTY?: boolean;
}

/** The options given, by name without dashes. */
export interface GivenOptions {
  on(name: string): boolean;
  /** The last one given. */
  text(name: string): string | undefined;
  list(name: string): readonly string[];
}

/** Texts that never leave the process: what is printed goes through `redact`. */
export interface Secrets {
  add(texts: readonly string[]): Promise<void>;
  redact(text: string): string;
}
