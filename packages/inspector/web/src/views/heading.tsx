import { stateName, visible } from "@fetch-image/core";
import { signal, useComputed } from "@preact/signals";
import type { JSX } from "preact";
import { address, go } from "../live/address.ts";
import { build } from "../live/build.ts";
import { isOver } from "../facts/history.ts";
import { at, fetchEntry } from "../live/position.ts";
import { Icon } from "../parts/icons.tsx";
import { StateBadge } from "../parts/state-badge.tsx";

/** What is looked at, in one line: the image, its state, where it belongs. */
export function Heading(): JSX.Element {
  const { build: id = "", fetch } = address.value;
  const state = fetch === undefined ? undefined : fetchEntry.value?.after;
  const request = state?.snapshot.context.request;
  const opened = build.value?.history.state.opened ?? null;
  const where = [opened?.team, opened?.pipeline, opened?.job].filter(Boolean).join(" / ");
  const title =
    fetch === undefined
      ? `build ${id}`
      : request === undefined
        ? fetch
        : request.repository === undefined
          ? `${request.name} (${request.type})`
          : `${request.repository}${request.tag === undefined ? "" : `:${request.tag}`}`;
  const step = request === undefined ? "" : `step ${request.planId}`;
  const reference = state?.resolved?.reference;
  return (
    <header class="heading">
      <button
        type="button"
        class="back"
        aria-label="Back to the list"
        onClick={() => go({ build: undefined, fetch: undefined, at: undefined })}
      >
        <Icon name="back" />
      </button>
      <h1>{visible(title)}</h1>
      {state === undefined ? null : (
        <span aria-live="polite" class="heading-state">
          <StateBadge state={stateName(state)} />
        </span>
      )}
      <span class="muted">
        {visible([fetch === undefined ? "" : `build ${id}`, where, step].filter(Boolean).join(" · "))}
      </span>
      <span class="heading-tools">
        {reference === undefined ? null : <Copy what="image reference" text={reference} />}
        <Copy what="link" text={() => location.href} />
      </span>
      {fetch === undefined ? <BuildFetches /> : null}
    </header>
  );
}

function BuildFetches(): JSX.Element {
  const history = build.value?.history;
  return (
    <ul class="build-fetches" aria-label="Fetches of this build">
      {[...(history?.tracks.keys() ?? [])].slice(0, 200).map((fetchId) => (
        <BuildFetch key={fetchId} fetchId={fetchId} />
      ))}
      {history !== undefined && isOver(history.state) ? <li class="muted">All of them have ended.</li> : null}
    </ul>
  );
}

/** Drawn again where its own state is another, not with every step. */
function BuildFetch({ fetchId }: { readonly fetchId: string }): JSX.Element {
  const state = useComputed(() => {
    const after = build.value?.history.entryAt(fetchId, at.value)?.after;
    return after === undefined ? undefined : stateName(after);
  });
  const name = build.value?.history.state.fetches.get(fetchId)?.snapshot.context.request.name ?? fetchId;
  return (
    <li>
      <button type="button" onClick={() => go({ fetch: fetchId })}>
        {state.value === undefined ? <span class="muted">not yet</span> : <StateBadge state={state.value} />}
        {visible(name)} <span class="muted">{visible(fetchId)}</span>
      </button>
    </li>
  );
}

const copied = signal<string | undefined>(undefined);

function Copy({ what, text }: { readonly what: string; readonly text: string | (() => string) }): JSX.Element {
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(typeof text === "string" ? text : text());
      copied.value = what;
    } catch {
      copied.value = `${what}: the browser refuses`;
    }
    setTimeout(() => (copied.value = undefined), 2000);
  };
  return (
    <button type="button" onClick={() => void copy()}>
      <Icon name={what === "link" ? "link" : "copy"} />
      <span role="status">{copied.value === what ? "copied" : what}</span>
    </button>
  );
}
