// A tag's history: which digest it meant, from when to when, and what the registry said besides.
import { isScopeFact, type RecordedScopeFact, type UnknownFact } from "@fetch-image/core";

/** A stretch of time in which the tag meant one digest, or nothing. */
export interface Stay {
  /** Undefined where the registry had no such tag. */
  readonly digest: string | undefined;
  readonly tag: string | undefined;
  /** ISO 8601. */
  readonly from: string;
  /** When it was last seen so: another may have taken its place at any time after. */
  readonly lastSeen: string;
  readonly observations: number;
  readonly by: { readonly build: string; readonly fetch: string };
}

export interface TagHistory {
  readonly scope: string;
  readonly title: string;
  readonly credential: string | null | undefined;
  /** The oldest first. */
  readonly stays: readonly Stay[];
  readonly failures: readonly { readonly at: string; readonly code: string; readonly message: string }[];
}

/** Folded from the scope's own facts: what a file holds, or the server's newest. */
export function tagHistoryOf(scope: string, facts: readonly (RecordedScopeFact | UnknownFact)[]): TagHistory {
  const stays: Stay[] = [];
  const failures: { at: string; code: string; message: string }[] = [];
  let title = scope;
  let credential: string | null | undefined;
  for (const fact of facts) {
    if (!isScopeFact(fact)) continue;
    const at = fact.metadata.time;
    if (fact.type === "CheckClaimed") {
      const { repository, tag } = fact.data;
      title = tag === undefined ? repository : `${repository}:${tag}`;
      ({ credential } = fact.data);
    } else if (fact.type === "CheckFailed") {
      failures.push({ at, code: fact.data.failure.code, message: fact.data.failure.message });
    } else if (fact.type === "VersionObserved" || fact.type === "VersionVanished") {
      const { asker } = fact.data;
      const version = fact.type === "VersionObserved" ? fact.data.version : {};
      const seen = { digest: version["digest"], tag: version["tag"], at };
      see(stays, seen, { build: asker.buildId, fetch: asker.fetchId });
    }
  }
  return { scope, title, credential, stays, failures };
}

/** What the audit answers of a scope: `AuditHistory`, as far as it is shown. */
export interface ToldHistory {
  readonly scope: string;
  readonly repository?: string;
  readonly tag?: string;
  readonly rule?: string;
  readonly credential?: string | null;
  /** The newest first. */
  readonly stays: readonly {
    readonly tag?: string;
    readonly digest?: string;
    readonly firstObservedAt: string;
    readonly lastObservedAt: string;
    readonly observations: number;
    readonly firstObservedBy: { readonly build: string; readonly fetch: string };
  }[];
}

export function tagHistoryFrom({ scope, repository, tag, rule, credential, stays }: ToldHistory): TagHistory {
  return {
    scope,
    title:
      repository === undefined ? scope : `${repository}${tag === undefined ? ` (${rule ?? "any tag"})` : `:${tag}`}`,
    credential,
    stays: stays
      .map(({ tag, digest, firstObservedAt, lastObservedAt, observations, firstObservedBy }) => {
        return { digest, tag, from: firstObservedAt, lastSeen: lastObservedAt, observations, by: firstObservedBy };
      })
      .toReversed(),
    failures: [],
  };
}

function see(
  stays: Stay[],
  { digest, tag, at }: { readonly digest: string | undefined; readonly tag: string | undefined; readonly at: string },
  by: Stay["by"],
): void {
  const last = stays.at(-1);
  if (last !== undefined && last.digest === digest && last.tag === tag) {
    stays[stays.length - 1] = { ...last, lastSeen: at, observations: last.observations + 1 };
  } else stays.push({ digest, tag, from: at, lastSeen: at, observations: 1, by });
}
