import { visible } from "@fetch-image/core";
import type { JSX } from "preact";
import { toneOf } from "../parts/state-badge.tsx";
import type { FetchSummary } from "../facts/summary.ts";
import { chosenBuild, chosenFetch, go, search, stateFilter } from "../live/address.ts";
import { closeFile, openedFile } from "../live/file.ts";
import { counts, feed, isFollowing, listProblem, type Row, rows, stateFilters } from "../live/list.ts";
import { Icon, StateIcon } from "../parts/icons.tsx";
import { age } from "../parts/now.ts";
import { VirtualList } from "../parts/virtual-list.tsx";

const rowHeight = 52;

export function FetchList(): JSX.Element {
  const [build, fetch] = [chosenBuild.value, chosenFetch.value];
  const all = rows.value;
  const selected = all.findIndex((row) => isChosen(row, build, fetch));
  const { all: total, active } = counts.value;
  return (
    <nav class="fetch-list" aria-label="Builds and fetches">
      <div class="filters">
        <input
          type="search"
          aria-label="Search builds, images and digests"
          placeholder="Search…"
          value={search.value}
          onInput={({ currentTarget }) => go({ q: currentTarget.value }, { replace: true })}
        />
        <select
          aria-label="State"
          value={stateFilter.value}
          onChange={({ currentTarget }) => go({ state: currentTarget.value }, { replace: true })}
        >
          <option value="">every state</option>
          {stateFilters.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </div>
      {all.length === 0 ? <p class="nothing">{total === 0 ? "No fetches yet." : "None of them matches."}</p> : null}
      <VirtualList
        label="Builds and fetches"
        class="fetches"
        count={all.length}
        rowHeight={rowHeight}
        selected={selected}
        onSelect={(index) => choose(all[index])}
        row={(index) => <ListRow row={all[index]} />}
      />
      <footer class="list-foot">
        <span role="status">
          {fetches(total)}, {active} active
        </span>
        {openedFile.value === undefined ? <Feed /> : <OpenFile />}
      </footer>
      {listProblem.value === undefined ? null : <p class="problem">{listProblem.value}</p>}
    </nav>
  );
}

function Feed(): JSX.Element {
  return (
    <>
      <span class={`feed ${feed.value}`}>
        {{ connecting: "connecting…", live: "live", lost: "lost, trying again" }[feed.value]}
      </span>
      <label class="check">
        <input
          type="checkbox"
          checked={isFollowing.value}
          onChange={({ currentTarget }) => {
            isFollowing.value = currentTarget.checked;
          }}
        />
        follow newest
      </label>
    </>
  );
}

function OpenFile(): JSX.Element {
  return (
    <>
      <span class="feed file">{visible(openedFile.value?.name ?? "")}</span>
      <button type="button" onClick={closeFile}>
        Close file
      </button>
    </>
  );
}

function isChosen(row: Row, build: string | undefined, fetch: string | undefined): boolean {
  if (row.kind === "build") return row.build === build && fetch === undefined;
  return row.summary.build === build && row.summary.fetch === fetch;
}

function choose(row: Row | undefined): void {
  if (row === undefined) return;
  if (row.kind === "build") go({ build: row.build, fetch: undefined, at: undefined });
  else go({ build: row.summary.build, fetch: row.summary.fetch, at: undefined });
}

function ListRow({ row }: { readonly row: Row | undefined }): JSX.Element {
  if (row === undefined) return <span />;
  if (row.kind === "fetch") return <FetchRow summary={row.summary} />;
  const [first] = row.fetches;
  const where = [first?.team, first?.pipeline, first?.job].filter(Boolean).join(" / ");
  return (
    <div class="build-row">
      <strong>build {visible(row.build)}</strong>
      <span class="muted">
        {visible(where)} · {fetches(row.fetches.length)}
      </span>
    </div>
  );
}

function fetches(count: number): string {
  return count === 1 ? "1 fetch" : `${count} fetches`;
}

function FetchRow({ summary }: { readonly summary: FetchSummary }): JSX.Element {
  const { state, image, name, type, waitsFor, stale, attempt = 1, timer } = summary;
  const notes = [
    waitsFor === undefined ? undefined : `waits for build ${waitsFor.build}`,
    attempt > 1 ? `attempt ${attempt}` : undefined,
    timer === undefined || state !== "backing-off" ? undefined : "retries",
    stale === undefined ? undefined : "stale",
    summary.failure?.code,
    // Last: what is cut off where there is little room, and still told where images are the same.
    `step ${summary.step}`,
  ].filter((note) => note !== undefined);
  return (
    <div class={`fetch-row ${toneOf(state)}`}>
      <StateIcon state={state} />
      <span class="fetch-image">{visible(image ?? `${name} (${type})`)}</span>
      <span class="fetch-age">{age(summary.since)}</span>
      <span class="fetch-notes">
        <span class="fetch-state">{state}</span>
        {` · ${visible(notes.join(" · "))}`}
      </span>
      {stale === undefined ? null : <Icon name="warning" />}
    </div>
  );
}
