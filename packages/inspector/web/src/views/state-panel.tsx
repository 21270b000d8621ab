// What is the case at the position that is looked at, and why.
import {
  duration,
  explainVersion,
  type FetchState,
  isBuildFact,
  renderFact,
  type RecordedBuildFact,
  stateName,
  visible,
} from "@fetch-image/core";
import type { ComponentChildren, JSX } from "preact";
import { type Difference, differences } from "../facts/difference.ts";
import type { Entry } from "../facts/history.ts";
import { lineAt } from "../facts/log-lines.ts";
import { address, go } from "../live/address.ts";
import { build } from "../live/build.ts";
import { summaryFor, waitersFor } from "../live/list.ts";
import { entry, fetchEntry, isAtHead, shownFetch } from "../live/position.ts";
import { Icon } from "../parts/icons.tsx";
import { Details, JsonValue, shown } from "../parts/json.tsx";
import { now, timeOfDay } from "../parts/now.ts";
import { StateBadge } from "../parts/state-badge.tsx";

export function StatePanel(): JSX.Element {
  const looked = entry.value;
  const state = fetchEntry.value?.after;
  return (
    <div class="panel">
      <Warnings state={state} />
      {state === undefined ? null : <Now state={state} />}
      {looked === undefined ? null : <FactSection looked={looked} />}
      {state === undefined ? null : <Chosen state={state} />}
      {looked === undefined ? null : <ContextChange looked={looked} />}
      {state === undefined ? null : (
        <Section title="Context">
          <JsonValue value={state.snapshot.context} />
        </Section>
      )}
    </div>
  );
}

function Section({ title, children }: { readonly title: string; readonly children: ComponentChildren }): JSX.Element {
  return (
    <section class="part" aria-label={title}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Warnings({ state }: { readonly state: FetchState | undefined }): JSX.Element | null {
  const { build: id = "" } = address.value;
  const fetch = shownFetch.value ?? "";
  const problem = build.value?.problem;
  const texts = [...(problem === undefined ? [] : [problem]), ...(state === undefined ? [] : warningsOf(state))];
  const pausedUntil = isAtHead.value ? summaryFor(id, fetch)?.pausedUntil : undefined;
  if (pausedUntil !== undefined && Date.parse(pausedUntil) > now.value) {
    texts.push(`The registry is not asked until ${pausedUntil}: it failed, or asked for a pause.`);
  }
  if (texts.length === 0) return null;
  return (
    <ul class="warnings" aria-label="Warnings">
      {texts.map((text) => (
        <li key={text}>
          <Icon name="warning" />
          {visible(text)}
        </li>
      ))}
    </ul>
  );
}

function warningsOf({ resolved, snapshot }: FetchState): string[] {
  const { request } = snapshot.context;
  const evidence = resolved?.evidence ?? snapshot.context.checked?.evidence;
  const texts: string[] = [];
  if (evidence?.stale !== undefined) {
    const { because, boundMs, error } = evidence.stale;
    const old = resolved?.ageMs === undefined ? "" : `, ${duration(resolved.ageMs)} old`;
    const why = error === undefined ? because : `${because}: ${error.code}, ${error.message}`;
    texts.push(`A stale answer was taken${old} (${why}); it may be ${duration(boundMs)} old at most.`);
  }
  if (resolved !== null && !resolved.pinned) {
    texts.push("Nobody knew a digest: the reference may mean another image at the next pull.");
  }
  const { limit, remaining } = evidence?.rateLimit ?? {};
  if (limit !== undefined && remaining !== undefined && remaining * 5 < limit) {
    texts.push(`${evidence?.host ?? "The registry"} has ${remaining} of ${limit} requests left.`);
  }
  if (request.unsupported !== undefined) {
    texts.push(`Fetched as an artifact: ${request.unsupported.field}, ${request.unsupported.reason}.`);
  }
  return texts;
}

function Now({ state }: { readonly state: FetchState }): JSX.Element {
  const { build: id = "" } = address.value;
  const fetch = shownFetch.value ?? "";
  const { owed, timer, snapshot, failure } = state;
  const { asker, attempt, request, work } = snapshot.context;
  const name = stateName(state);
  const waiters = waitersFor(id, fetch);
  return (
    <Section title="State">
      <dl class="facts-of">
        <dt>state</dt>
        <dd>
          <StateBadge state={name} />
        </dd>
        {owed === null ? null : <Pair name="owes" value={owedText(owed.effect)} />}
        {timer === null ? null : <Timer name={timer.name} dueAt={timer.dueAt} />}
        {attempt > 1 || name === "backing-off" ? (
          <Pair name="attempt" value={`${attempt} of ${request.retry.attempts}, of the ${work}`} />
        ) : null}
        {name === "waiting" && asker !== null ? (
          <>
            <dt>waits for</dt>
            <dd>
              <OtherFetch build={asker.buildId} fetch={asker.fetchId} />
            </dd>
          </>
        ) : null}
        {waiters.length === 0 ? null : (
          <>
            <dt>waited for by</dt>
            <dd>
              {waiters.slice(0, 8).map((waiter) => (
                <OtherFetch key={`${waiter.build} ${waiter.fetch}`} build={waiter.build} fetch={waiter.fetch} />
              ))}
              {waiters.length > 8 ? `and ${waiters.length - 8} more` : null}
            </dd>
          </>
        )}
        {failure === null ? null : (
          <>
            <Pair name="failure" value={`${failure.code}: ${failure.message}`} />
            {failure.hint === undefined ? null : <Pair name="fix" value={failure.hint} />}
          </>
        )}
      </dl>
    </Section>
  );
}

function Timer({ name, dueAt }: { readonly name: string; readonly dueAt: number }): JSX.Element {
  const from = isAtHead.value ? now.value : (entry.value?.at ?? now.value);
  const left = dueAt - from;
  const when = left <= 0 ? "due" : `in ${duration(Math.ceil(left / 100) * 100)}`;
  return <Pair name={`timer ${name}`} value={`${when} · ${timeOfDay(dueAt)}`} />;
}

function Pair({ name, value }: { readonly name: string; readonly value: string }): JSX.Element {
  return (
    <>
      <dt>{name}</dt>
      <dd>{visible(value)}</dd>
    </>
  );
}

function OtherFetch({ build, fetch }: { readonly build: string; readonly fetch: string }): JSX.Element {
  return (
    <button type="button" class="link" onClick={() => go({ build, fetch, at: undefined })}>
      build {visible(build)}, {visible(fetch)}
    </button>
  );
}

function owedText(effect: NonNullable<FetchState["owed"]>["effect"]): string {
  switch (effect.kind) {
    case "ask-policy":
      return `ask the policy on the ${effect.phase}`;
    case "check-image":
      return `check the image, attempt ${effect.attempt}`;
    case "join-check":
      return `the answer of build ${effect.asker.buildId}, ${effect.asker.fetchId}`;
    case "fetch-artifact":
      break;
  }
  return `fetch the artifact, attempt ${effect.attempt}`;
}

function FactSection({ looked }: { readonly looked: Entry }): JSX.Element {
  const { fact, says, at } = looked;
  const answer = isBuildFact(fact) ? answerOf(fact) : undefined;
  const line = lineAt(build.value?.log.lines ?? [], looked.index);
  const own = build.value?.log.lines[line];
  return (
    <Section title="Fact">
      <p class="fact-title">
        <code>{visible(fact.type)}</code>
        <span class="muted">
          revision {String(fact.revision)} · {timeOfDay(at)} · {visible(fact.metadata.node)}
        </span>
      </p>
      <p class="fact-words">{wordsOf(looked)}</p>
      {answer === undefined ? null : (
        <dl class="facts-of">
          {answer.map(([name, value]) => (
            <Pair key={name} name={name} value={value} />
          ))}
        </dl>
      )}
      {says.length === 0 ? null : (
        <ul class="caused" aria-label="What it caused">
          {says.map(({ type }) => (
            <li key={type}>says {type}</li>
          ))}
        </ul>
      )}
      {own?.entry === looked.index ? <p class="fact-line">log: {own.text}</p> : null}
      <Details summary="Data and metadata">
        {() => <JsonValue value={{ data: fact.data, metadata: fact.metadata, id: fact.id, position: fact.position }} />}
      </Details>
    </Section>
  );
}

/** What the fact means: the words of `fetch-image replay`, without its columns. */
export function wordsOf({ fact, after, says }: Entry): string {
  const text = renderFact(fact, { after, says });
  const start = text.indexOf(": ", text.indexOf(fact.metadata.time) + fact.metadata.time.length);
  return text.slice(start + 2).replaceAll(/ +-> /g, " → ");
}

/** What a registry answered, where the fact is an answer. */
function answerOf(fact: RecordedBuildFact): readonly (readonly [name: string, value: string])[] | undefined {
  if (fact.type === "ImageCheckFailed" || fact.type === "ArtifactFetchFailed") {
    const { failure, retryAfterMs } = fact.data;
    return [
      ["failure", `${failure.code}: ${failure.message}`],
      ...Object.entries(failure.details ?? {}).map(([name, value]) => [name, shown(value)] as const),
      ...(retryAfterMs === undefined ? [] : [["retry after", duration(retryAfterMs)] as const]),
    ];
  }
  if (fact.type !== "ImageChecked") return undefined;
  const { version, evidence } = fact.data;
  const { via, host, status, observedAt, rateLimit } = evidence;
  const { limit, remaining } = rateLimit ?? {};
  return [
    ["via", via],
    ...(host === undefined ? [] : [["host", status === undefined ? host : `${host}, ${status}`] as const]),
    ["observed", observedAt],
    ...Object.entries(version),
    ...(remaining === undefined ? [] : [["rate limit", `${remaining} of ${limit ?? "?"} left`] as const]),
  ];
}

function Chosen({ state }: { readonly state: FetchState }): JSX.Element | null {
  const { resolved, snapshot } = state;
  if (resolved === null) return null;
  const { request } = snapshot.context;
  const { chosen, because, candidates, evidence } = explainVersion(resolved, request);
  return (
    <Section title="Digest, and why">
      <p class="reference">
        <code>{visible(chosen)}</code>
      </p>
      <p>{visible(because)}.</p>
      <ol class="candidates" aria-label="Candidates, in the order in which they come into question">
        {candidates.map(({ candidate, taken, reason }) => (
          <li key={candidate} class={taken ? "taken" : "rejected"}>
            <span class="verdict">{taken ? "taken" : "not taken"}</span>
            <span>
              <code>{visible(candidate)}</code> <span class="muted">{visible(reason)}</span>
            </span>
          </li>
        ))}
      </ol>
      <dl class="facts-of">
        {evidence.map(({ name, value }) => (
          <Pair key={name} name={name} value={value} />
        ))}
      </dl>
      {request.scope === undefined ? null : (
        <button type="button" class="link" onClick={() => go({ view: "tags", scope: request.scope, ref: undefined })}>
          History of this tag
        </button>
      )}
    </Section>
  );
}

function ContextChange({ looked }: { readonly looked: Entry }): JSX.Element | null {
  const { fetchId, index, after } = looked;
  const history = build.value?.history;
  if (fetchId === undefined || after === undefined || history === undefined) return null;
  const before = history.entryAt(fetchId, index - 1)?.after;
  const changes = differences(before?.snapshot.context, after.snapshot.context);
  const shownChanges = before === undefined ? differences({}, after.snapshot.context) : changes;
  return (
    <Section title="Change of context">
      {shownChanges.length === 0 ? (
        <p class="muted">None.</p>
      ) : (
        <ul class="changes">
          {shownChanges.map((change) => (
            <Change key={change.path.join(" ")} change={change} />
          ))}
        </ul>
      )}
    </Section>
  );
}

const signs = { added: "+", changed: "~", removed: "−" } as const;

function Change({ change: { path, kind, before, after } }: { readonly change: Difference }): JSX.Element {
  return (
    <li class={kind}>
      <span class="sign" title={kind}>
        {signs[kind]}
      </span>
      <code>{visible(path.join("."))}</code> {kind === "added" ? null : <del>{short(before)}</del>}{" "}
      {kind === "removed" ? null : <ins>{short(after)}</ins>}
    </li>
  );
}

function short(value: unknown): string {
  const text = shown(value);
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
}
