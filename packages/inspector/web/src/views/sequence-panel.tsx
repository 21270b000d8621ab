import { visible } from "@fetch-image/core";
import { computed } from "@preact/signals";
import type { JSX } from "preact";
import { lanes, type Message, messagesOf } from "../facts/messages.ts";
import { build } from "../live/build.ts";
import { chosenFetch } from "../live/address.ts";
import { at, goToEntry, isWholeBuild } from "../live/position.ts";
import { toneOf } from "../parts/state-badge.tsx";
import { VirtualList } from "../parts/virtual-list.tsx";

const messages = computed<readonly Message[]>(() => {
  const history = build.value?.history;
  const fetch = chosenFetch.value;
  if (history === undefined) return [];
  if (fetch === undefined || isWholeBuild.value) return messagesOf(history.entries);
  const own = history.tracks.get(fetch)?.entries ?? [];
  return messagesOf(own.flatMap((index) => history.entries[index] ?? []));
});

/** Who said what to whom, from top to bottom. */
export function SequencePanel(): JSX.Element {
  const rows = messages.value;
  const selected = rows.findLastIndex(({ entry }) => entry <= at.value);
  return (
    <div class="sequence">
      <div class="lanes" aria-hidden="true">
        {lanes.map((lane) => (
          <span key={lane}>{lane}</span>
        ))}
      </div>
      <VirtualList
        label="Sequence of messages"
        class="messages"
        count={rows.length}
        rowHeight={40}
        selected={selected}
        onSelect={(index) => {
          const row = rows[index];
          if (row !== undefined) goToEntry(row.entry);
        }}
        row={(index) => <MessageRow message={rows[index]} />}
      />
    </div>
  );
}

function MessageRow({ message }: { readonly message: Message | undefined }): JSX.Element {
  if (message === undefined) return <span />;
  const later = message.entry > at.value ? " later" : "";
  if (message.kind === "state") {
    return (
      <div class={`message-row${later}`}>
        <span class={`message-state ${toneOf(message.text)}`}>{message.text}</span>
      </div>
    );
  }
  const [from, to] = [lanes.indexOf(message.from), lanes.indexOf(message.to)];
  const direction = from === to ? "self" : from < to ? "right" : "left";
  const [left, right] = [Math.min(from, to), Math.max(from, to)];
  const described = `${message.from} to ${message.to}${message.expected ? ", expected" : ""}: ${message.text}`;
  return (
    <div class={`message-row${later}`} aria-label={visible(described)}>
      <span class={`arrow ${direction} from-${left} to-${right}${message.expected ? " expected" : ""}`}>
        <span class="arrow-text">{visible(message.text)}</span>
      </span>
    </div>
  );
}
