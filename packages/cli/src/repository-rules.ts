import { parseGoDuration } from "@fetch-image/core/basics";
import type { ScopeRule } from "@fetch-image/engine";

type Name = Exclude<keyof ScopeRule, "repositories" | "shareByUser">;

/** Durations that can be set by repository: by name on the command line, as the engine calls it, and at least so many ms. */
const durations: { readonly [name: string]: readonly [Name, leastMs: number] } = {
  "check-interval": ["checkIntervalMs", 0],
  "stale-while-revalidate": ["staleWhileRevalidateMs", 0],
  "staleness-bound": ["stalenessBoundMs", 0],
  "failure-backoff": ["failureBackoffBaseMs", 1],
  "failure-backoff-cap": ["failureBackoffCapMs", 1],
  "refusal-memory": ["refusalMemoryMs", 0],
  claim: ["claimMs", 1],
};

const shareByUser = "share-by-user";

export const repositorySettings: readonly string[] = [...Object.keys(durations), shareByUser];

/** Reads `PATTERN=SETTING:VALUE;SETTING:VALUE`; undefined where it is none. */
export function repositoryRule(text: string): ScopeRule | undefined {
  const equals = text.indexOf("=");
  const pattern = text.slice(0, equals).trim();
  if (equals < 1 || !/^[^\s@:]+(?::\d+\/[^\s@:]*)?$/.test(pattern)) return undefined;
  const rule: { -readonly [Key in keyof ScopeRule]: ScopeRule[Key] } = { repositories: pattern };
  for (const part of text.slice(equals + 1).split(";")) {
    const [, name = "", value = ""] = /^\s*([a-z-]+)\s*:\s*(\S+)\s*$/.exec(part) ?? [];
    if (name === shareByUser && /^(?:true|false)$/.test(value)) {
      rule.shareByUser = value === "true";
      continue;
    }
    const setting = Object.hasOwn(durations, name) ? durations[name] : undefined;
    const nanoseconds = parseGoDuration(value);
    if (setting === undefined || nanoseconds === undefined) return undefined;
    const ms = Number(nanoseconds / 1_000_000n);
    if (ms < setting[1]) return undefined;
    rule[setting[0]] = ms;
  }
  return rule;
}

/** Of the rules that fit the repository, canonical and without tag, the first that says how often it is asked. */
export function intervalOf(rules: readonly ScopeRule[], repository: string): number | undefined {
  return rules.find((rule) => rule.checkIntervalMs !== undefined && fits(rule.repositories, repository))
    ?.checkIntervalMs;
}

/** As the engine has it: `*` stands for anything. */
function fits(pattern: string, repository: string): boolean {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join(".*")}$`, "s").test(repository);
}
