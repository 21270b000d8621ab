import { CST, Lexer, Parser } from "yaml";
import type { Problem } from "./yaml-tree.ts";

const longestText = 4 * 1024 * 1024;
/** Collections under way at once: two tokens or so per level of nesting. */
const deepestStack = 250;
const longestRun = 8;

/**
 * Cuts the text into the tokens of one YAML document, and stops at the first sign that it cannot be a pipeline: what
 * follows the tokens in the yaml library is recursive, and gives every later mistake an error object of its own.
 * A megabyte of brackets would cost it the process.
 */
export function yamlTokens(text: string): { readonly tokens: CST.Token[] } | { readonly problem: Problem } {
  if (text.length > longestText) return stop(0, `has ${text.length} characters; the bound is ${longestText}`);
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  let run = 0;
  for (const lexeme of new Lexer().lex(text)) {
    const { offset } = parser;
    run = runLength(run, lexeme);
    if (run > longestRun) return stop(offset, "a comma, an anchor or a tag where a value should be");
    const unwanted = take(parser.next(lexeme), tokens);
    if (unwanted !== undefined) return unwanted;
    if (parser.stack.length > deepestStack) return stop(offset, "nested too deeply");
    const top = parser.stack.at(-1);
    if (top !== undefined && "end" in top && (top.end?.length ?? 0) > longestRun) {
      return stop(offset, "text where a value has already ended");
    }
  }
  return take(parser.end(), tokens) ?? { tokens };
}

/** Adds the tokens, but for the first that no pipeline has. */
function take(more: Iterable<CST.Token>, tokens: CST.Token[]): { readonly problem: Problem } | undefined {
  for (const token of more) {
    const { type, offset } = token;
    if (type === "error") return stop(offset, "this is not YAML");
    if (type === "document" && has(tokens, type, 1)) return stop(offset, "a second document begins here");
    if (type === "directive" && has(tokens, type, longestRun)) return stop(offset, "too many directives");
    tokens.push(token);
  }
  return undefined;
}

function has(tokens: readonly CST.Token[], type: CST.Token["type"], atLeast: number): boolean {
  return tokens.filter((token) => token.type === type).length >= atLeast;
}

/** How many lexemes in a row have only decorated a value that does not come. */
function runLength(before: number, lexeme: string): number {
  switch (CST.tokenType(lexeme)) {
    case "comma":
    case "anchor":
    case "tag":
    case "explicit-key-ind":
      return before + 1;
    case "space":
    case "newline":
    case "comment":
      return before;
    default:
      return 0;
  }
}

function stop(at: number, says: string): { readonly problem: Problem } {
  return { problem: { at, path: "", says } };
}
