import {
  type Asker,
  decodeScopeFact,
  evolveScope,
  type FactMetadata,
  parseTime,
  type RecordedFact,
  type RecordedScopeFact,
  type RegistryImageSource,
  sameAsker,
  scopeStream,
  scopeStreamPrefix,
  type ScopeState,
  unknownScope,
  type Version,
} from "@fetch-image/core";
import { type Claim, ClaimJudge, type ClaimJudgeOptions } from "./claim-judge.ts";
import { credentialKeyOf, type Lineage, lineageOf, passwordOf } from "./credentials.ts";
import type { SimulatedNode } from "./node.ts";
import type { Answer, Question } from "./registry.ts";
import type { Acknowledged } from "./store.ts";
import type { World } from "./world.ts";

interface InFlight {
  readonly question: Question;
  readonly claim: Claim | undefined;
  /**
   * Its fetch asks elsewhere: here the asker has died, or may as well have. Or another's late answer, which answers all, has
   * ended its claim.
   */
  isLeft: boolean;
}

/** A digest that a registry gave. */
export interface Delivered {
  readonly digest: string;
  readonly to: string;
  /** When it reached the process. */
  readonly at: number;
  /** Until when the question counted as in flight: its asker knew that the answer is stored. `Infinity` before. */
  inFlightUntil: number;
}

/** What is told of a scope to who shows the same secret. */
interface JudgedScope {
  state: ScopeState;
  readonly key: string;
  inFlight: readonly InFlight[];
  /** By the fact's id. */
  readonly claims: Map<string, Claim>;
  lastClaim: Claim | undefined;
  /** Acknowledged to their nodes, and not yet followed by a question. */
  readonly unused: Map<string, Claim[]>;
}

type Observed = Extract<RecordedScopeFact, { type: "VersionObserved" }>;

export interface ScopeJudgeOptions extends ClaimJudgeOptions {
  readonly sharesCredentialKey: boolean;
  /** Whether a newer version has written to the stream. What stands in it counts no more, and nothing is written. */
  readonly isNewer: (stream: string) => boolean;
}

/** Holds what is written to scopes, and what registries are asked, against the promises. */
export class ScopeJudge {
  readonly #world: World;
  readonly #options: ScopeJudgeOptions;
  readonly #claims: ClaimJudge;
  readonly #scopes = new Map<string, JudgedScope>();
  /** The last version of each stream, whoever was told it. */
  readonly #latest = new Map<string, Version | undefined>();
  /** By what was asked. */
  readonly #delivered = new Map<string, Delivered[]>();

  constructor(world: World, options: ScopeJudgeOptions) {
    this.#world = world;
    this.#options = options;
    this.#claims = new ClaimJudge(world, options);
  }

  /** All that registries answered to this question, on any node. */
  delivered(key: string): readonly Delivered[] {
    return this.#delivered.get(key) ?? [];
  }

  /** Claims that nobody has ended, by whom they are and what they are of. */
  standing(): readonly { readonly node: string; readonly what: string }[] {
    return [...this.#scopes].flatMap(([name, { state }]) => {
      const { claim } = state;
      if (claim === null || this.#options.isNewer(scopeStreamPrefix + name.split(" ", 1)[0])) return [];
      return [{ node: claim.node, what: `${name}, of ${claim.asker.buildId}/${claim.asker.fetchId}` }];
    });
  }

  stored(facts: readonly RecordedFact[], by: SimulatedNode): void {
    for (const recorded of facts) {
      const decoded = decodeScopeFact(recorded);
      const where = `${recorded.type} at ${recorded.stream}@${recorded.revision}`;
      if (!decoded.known) {
        this.#world.broken(`${where} cannot be read`);
        continue;
      }
      const { fact } = decoded;
      const scope = this.#scopeOf(fact);
      if (fact.metadata.node !== by.name) this.#world.broken(`${where} says it is ${fact.metadata.node}'s`);
      if (fact.type === "CheckClaimed") {
        this.#claims.judge(scope, fact, where);
        const { asker, until } = fact.data;
        const [at, storedAt] = [parseTime(fact.metadata.time), this.#world.now()];
        const claim = { node: by.name, asker, until: parseTime(until), at, storedAt, isEnded: false };
        scope.claims.set(fact.id, claim);
        scope.lastClaim = claim;
      }
      if (fact.type === "VersionObserved") this.#judgeObservation(scope, { fact, by }, where);
      scope.state = evolveScope(scope.state, fact);
      if (fact.type === "VersionObserved" || fact.type === "VersionVanished") {
        this.#latest.set(fact.stream, fact.type === "VersionObserved" ? fact.data.version : undefined);
        for (const question of scope.inFlight) question.isLeft = true;
        for (const claim of scope.claims.values()) claim.isEnded = true;
      }
    }
  }

  acknowledged({ stream, facts, by }: Acknowledged): void {
    for (const { id, type, data, metadata } of facts) {
      const { proof } = data as { readonly proof?: string };
      const scope = this.#scopes.get(nameOf({ scope: stream.slice(scopeStreamPrefix.length), proof }));
      if (scope === undefined) continue;
      const { time } = metadata as unknown as FactMetadata;
      const at = parseTime(time);
      if (type === "VersionObserved") {
        const { digest } = data["version"] as { readonly digest?: string };
        const given = this.#given(scope.key, { digest, at, by });
        if (given !== undefined) given.inFlightUntil = this.#world.now();
      }
      const claim = scope.claims.get(id);
      if (claim !== undefined) scope.unused.set(by.name, [...(scope.unused.get(by.name) ?? []), claim]);
    }
  }

  /** Gives whose claim the question is, where that is known as it is asked. */
  asked(question: Question): Asker | undefined {
    const { by, source } = question;
    const lineage = lineageOf(source, this.#keyOf(by.name));
    const scope = this.#scopes.get(nameOf(lineage)) ?? this.#newScope(lineage, keyOfSource(source));
    if (this.#options.isNewer(scopeStream(lineage.scope))) {
      this.#askedBesideNewer(scope, question);
      return undefined;
    }
    // The newest: one before it may have been given back.
    const claim = scope.unused.get(by.name)?.pop();
    if (claim === undefined && !this.#options.soleNode) {
      this.#world.broken(`${by.name} asks for ${keyOfSource(source)} without a claim that it knows to be stored`);
    }
    const isLeft = claim?.isEnded === true;
    for (const other of scope.inFlight) {
      if (!other.question.by.alive || other.isLeft || isLeft) continue;
      other.isLeft = claim !== undefined && other.claim !== undefined && sameAsker(other.claim.asker, claim.asker);
      // Of clocks that differ the one may say that a claim has run out, and that of who asks under it that it holds.
      const isOverElsewhere = this.#claims.hasRunOut(claim, other.claim?.at) && by.clock.now() < (claim?.until ?? 0);
      // Its claim stands no more for anybody, whosever clock it was by which it had run out.
      other.isLeft ||= this.#claims.hasRunOut(other.claim, claim?.at);
      if (!other.isLeft && !isOverElsewhere) {
        const both = `${other.question.by.name} and ${by.name}`;
        this.#world.broken(`${both} ask for ${keyOfSource(source)} at the same time`);
      }
    }
    scope.inFlight = [...scope.inFlight, { question, claim, isLeft }];
    // A lone node asks before its claim is stored: what it has in hand is the claim of an earlier question.
    return this.#options.soleNode ? undefined : claim?.asker;
  }

  /** Where nothing is recorded each process has a question of its own, and one at a time. */
  #askedBesideNewer(scope: JudgedScope, question: Question): void {
    const { by, source } = question;
    if (scope.inFlight.some((other) => other.question.by === by && !other.isLeft)) {
      this.#world.broken(`${by.name} asks for ${keyOfSource(source)} while it asks for that already`);
    }
    scope.inFlight = [...scope.inFlight, { question, claim: undefined, isLeft: false }];
  }

  answered(question: Question, answer: Answer): void {
    const { by, source } = question;
    const key = keyOfSource(source);
    const scope = this.#scopes.get(nameOf(lineageOf(source, this.#keyOf(by.name))));
    if (scope !== undefined) scope.inFlight = scope.inFlight.filter((each) => each.question !== question);
    if (!("digest" in answer)) return;
    const delivered = { digest: answer.digest, to: by.name, at: this.#world.now(), inFlightUntil: Infinity };
    this.#delivered.set(key, [...this.delivered(key), delivered]);
  }

  #judgeObservation(
    { key }: JudgedScope,
    { fact: { stream, data, metadata }, by }: { fact: Observed; by: SimulatedNode },
    where: string,
  ): void {
    const { version, changed } = data;
    if (this.#given(key, { digest: version["digest"], at: parseTime(metadata.time), by }) === undefined) {
      this.#world.broken(`${where}: nobody gave ${by.name} the digest ${version["digest"]}`);
    }
    const before = this.#latest.get(stream);
    const differs = before?.["digest"] !== version["digest"] || before?.["tag"] !== version["tag"];
    if (changed !== differs) this.#world.broken(`${where} says changed: ${changed}`);
  }

  /** The answer that the process says it got at this time of its clock. */
  #given(
    key: string,
    said: { readonly digest: string | undefined; readonly at: number; readonly by: SimulatedNode },
  ): Delivered | undefined {
    const at = said.at - said.by.offset;
    return this.delivered(key)
      .filter(({ digest, to }) => to === said.by.name && digest === said.digest)
      .toSorted((a, b) => Math.abs(a.at - at) - Math.abs(b.at - at))[0];
  }

  #scopeOf(fact: RecordedScopeFact): JudgedScope {
    const proof = fact.type === "RateLimitObserved" ? undefined : fact.data.proof;
    const lineage = { scope: fact.stream.slice(scopeStreamPrefix.length), proof };
    const known = this.#scopes.get(nameOf(lineage));
    if (known !== undefined) return known;
    if (fact.type !== "CheckClaimed") return this.#newScope(lineage, "");
    const { repository, tag } = fact.data;
    const password = passwordOf(repository, lineage, this.#keyOf(fact.metadata.node));
    return this.#newScope(lineage, keyOf(repository, tag, password));
  }

  #keyOf(node: string): string {
    return credentialKeyOf(node, this.#options.sharesCredentialKey);
  }

  #newScope(lineage: Lineage, key: string): JudgedScope {
    const scope: JudgedScope = {
      state: unknownScope,
      key,
      inFlight: [],
      claims: new Map(),
      lastClaim: undefined,
      unused: new Map(),
    };
    this.#scopes.set(nameOf(lineage), scope);
    return scope;
  }
}

/** What was asked for, and by which password; empty for none. */
export function keyOf(repository: string, tag: string | undefined, password: string): string {
  return `${repository}:${tag ?? "*"}${password === "" ? "" : ` by ${password}`}`;
}

function keyOfSource({ repository, tag, password = "" }: RegistryImageSource): string {
  return keyOf(repository, tag, password);
}

function nameOf({ scope, proof = "" }: Lineage): string {
  return `${scope} ${proof}`;
}
