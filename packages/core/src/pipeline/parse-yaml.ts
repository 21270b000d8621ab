import { Composer, type ErrorCode, isAlias, isMap, isScalar, isSeq, type Node, type YAMLMap } from "yaml";
import { showText } from "../image/show-text.ts";
import { readPlainScalar } from "./plain-scalar.ts";
import { yamlTokens } from "./yaml-tokens.ts";
import type { Problem, YamlEntry, YamlList, YamlMap, YamlNode } from "./yaml-tree.ts";

/** Values that a document may hold once its aliases are spread out: a bomb of nine lines would have billions. */
const mostValues = 500_000;
const deepest = 100;

/** A document, or what is wrong with it. Warnings are for what Concourse takes without a word but nobody means. */
export type ParsedYaml =
  { readonly root: YamlNode; readonly warnings: readonly Problem[] } | { readonly problems: readonly Problem[] };

/** Reads one YAML document as Concourse does. Never throws; time and memory are linear in the text's length. */
export function parseYaml(text: string): ParsedYaml {
  const cut = yamlTokens(text);
  if ("problem" in cut) return { problems: [cut.problem] };
  const composer = new Composer({ schema: "failsafe", uniqueKeys: false, prettyErrors: false, logLevel: "silent" });
  const [document] = [...composer.compose(cut.tokens, true, text.length)];
  const errors = document?.errors ?? [];
  if (errors.length > 0) {
    return { problems: errors.map(({ code, pos }) => ({ at: pos[0], path: "", says: inWords[code] })) };
  }
  const reader = new Reader();
  const root = reader.read(document?.contents ?? null, 0);
  return reader.problems.length > 0 ? { problems: reader.problems } : { root, warnings: reader.warnings };
}

interface Extent {
  readonly values: number;
  readonly depth: number;
}

class Reader {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly #anchors = new Map<string, YamlNode>();
  readonly #extents = new Map<YamlNode, Extent>();
  #mergedValues = 0;

  read(node: Node | null, at: number): YamlNode {
    if (node === null) return this.#measured({ kind: "scalar", at, value: null });
    const start = node.range?.[0] ?? at;
    if (isAlias(node)) return this.#aliased(node.source, start);
    const read = this.#measured(this.#value(node, start));
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined) {
      // An anchor holds from its node's end on, so that no node can contain itself.
      this.#anchors.set(node.anchor, read);
    }
    return read;
  }

  #value(node: Node, at: number): YamlNode {
    if (isSeq(node)) {
      return { kind: "list", at, items: node.items.map((item) => this.read(isNode(item) ? item : null, at)) };
    }
    if (isMap(node)) return { kind: "map", at, entries: this.#entries(node, at) };
    if (isScalar(node)) return this.#scalar(node, at);
    return { kind: "scalar", at, value: null };
  }

  #scalar(node: { readonly value: unknown; readonly type?: unknown; readonly tag?: string }, at: number): YamlNode {
    const text = typeof node.value === "string" ? node.value : "";
    const tag = node.tag?.replace("tag:yaml.org,2002:", "!!");
    if (tag === "!!str" || tag === "!" || (tag === undefined && node.type !== "PLAIN")) {
      return { kind: "scalar", at, value: text };
    }
    const value = readPlainScalar(text);
    const wanted = tag === undefined ? true : tagged[tag]?.(value);
    if (wanted === undefined) this.#problem(at, `the tag ${showText(tag ?? "")} is not known`);
    if (wanted === false) this.#problem(at, `the value is not what its tag ${showText(tag ?? "")} says`);
    if (typeof value !== "number") return { kind: "scalar", at, value };
    if (!Number.isFinite(value)) this.#problem(at, "infinities and NaN cannot stand in a pipeline");
    return { kind: "scalar", at, value, ...(String(value) === text ? {} : { written: text }) };
  }

  #entries(node: YAMLMap, at: number): readonly YamlEntry[] {
    const own = new Map<string, YamlEntry>();
    const merged: YamlEntry[] = [];
    for (const { key, value } of node.items) {
      const keyNode = this.read(isNode(key) ? key : null, at);
      const valueNode = this.read(isNode(value) ? value : null, keyNode.at);
      if (keyNode.kind !== "scalar") {
        this.#problem(keyNode.at, "a key must be text");
      } else if (keyNode.value === "<<" && isScalar(key) && key.type === "PLAIN") {
        this.#merge(valueNode, merged);
      } else {
        const name = keyNode.written ?? String(keyNode.value);
        if (own.has(name)) {
          const says = `the key ${showText(name)} stands here a second time; Concourse uses the last one`;
          this.warnings.push({ at: keyNode.at, path: "", says });
        }
        own.set(name, { key: name, at: keyNode.at, value: valueNode });
      }
    }
    for (const entry of merged) if (!own.has(entry.key)) own.set(entry.key, entry);
    return [...own.values()];
  }

  /** Earlier maps of a list win, and every key of the map's own wins over what it merges. */
  #merge(value: YamlNode, merged: YamlEntry[]): void {
    for (const map of value.kind === "list" ? value.items : [value]) {
      if (map.kind !== "map") {
        this.#problem(map.at, "`<<` merges a map or a list of maps, and this is neither");
        continue;
      }
      this.#mergedValues += map.entries.length;
      if (this.#mergedValues > mostValues) {
        return this.#problem(value.at, `more than ${mostValues} values once its merge keys are spread out`);
      }
      for (const entry of map.entries) merged.push(entry);
    }
  }

  #aliased(name: string, at: number): YamlNode {
    const target = this.#anchors.get(name);
    if (target !== undefined) return target;
    this.#problem(at, `the alias ${showText(name)} has no anchor before it`);
    return { kind: "scalar", at, value: null };
  }

  #measured<Kind extends YamlNode>(node: Kind): Kind {
    const parts = partsOf(node).map((part) => this.#extents.get(part) ?? { values: 1, depth: 1 });
    const values = parts.reduce((sum, part) => sum + part.values, 1);
    const depth = parts.reduce((most, part) => Math.max(most, part.depth), 0) + 1;
    this.#extents.set(node, { values, depth });
    if (values > mostValues)
      this.#problem(node.at, `holds more than ${mostValues} values once its aliases are spread out`);
    if (depth > deepest) this.#problem(node.at, `nested deeper than ${deepest} levels`);
    return node;
  }

  #problem(at: number, says: string): void {
    // A bomb's every enclosing value is too large as well; a few say enough.
    if (this.problems.length < 20) this.problems.push({ at, path: "", says });
  }
}

function partsOf(node: YamlMap | YamlList | YamlNode): readonly YamlNode[] {
  if (node.kind === "scalar") return [];
  return node.kind === "list" ? node.items : node.entries.map(({ value }) => value);
}

function isNode(value: unknown): value is Node {
  return isAlias(value) || isMap(value) || isSeq(value) || isScalar(value);
}

const tagged: { readonly [tag: string]: (value: unknown) => boolean } = {
  "!!int": Number.isInteger,
  "!!float": (value) => typeof value === "number",
  "!!bool": (value) => typeof value === "boolean",
  "!!null": (value) => value === null,
  "!!merge": () => true,
};

/** Our words: the library's own may quote the text, which may be a secret. */
const inWords: { readonly [Code in ErrorCode]: string } = {
  ALIAS_PROPS: "an alias has an anchor or a tag of its own",
  BAD_ALIAS: "an anchor or alias without a proper name",
  BAD_COLLECTION_TYPE: "the value is not what its tag says",
  BAD_DIRECTIVE: "a malformed directive (a line that begins with %)",
  BAD_DQ_ESCAPE: "an unknown escape (a backslash) in double quotes",
  BAD_INDENT: "wrong indentation, or a closing bracket is missing",
  BAD_PROP_ORDER: "an anchor or tag in the wrong place",
  BAD_SCALAR_START: "a value that begins with this character must be quoted",
  BLOCK_AS_IMPLICIT_KEY: "a key and its value, or a list, where only a plain value can stand",
  BLOCK_IN_FLOW: "an indented list or map inside of brackets",
  DUPLICATE_KEY: "a key stands here a second time",
  IMPOSSIBLE: "this is not YAML",
  KEY_OVER_1024_CHARS: "a key longer than 1024 characters",
  MISSING_CHAR: "a bracket, quote, comma, colon or space is missing",
  MULTILINE_IMPLICIT_KEY: "a key goes over more than one line, or a colon is missing",
  MULTIPLE_ANCHORS: "a value with two anchors",
  MULTIPLE_DOCS: "a second document begins here",
  MULTIPLE_TAGS: "a value with two tags",
  NON_STRING_KEY: "a key must be text",
  RESOURCE_EXHAUSTION: "nested too deeply",
  TAB_AS_INDENT: "a tab in the indentation; YAML takes spaces only",
  TAG_RESOLVE_FAILED: "a tag that is not known",
  UNEXPECTED_TOKEN:
    "text where none can stand: a missing colon, dash, quote or bracket before it, or wrong indentation",
};
