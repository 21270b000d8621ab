import { visible } from "@fetch-image/core";
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";

/** A value as it stands in the fact, folded where it is large. Whatever it holds is shown as text. */
export function JsonValue({ value, name }: { readonly value: unknown; readonly name?: string }): JSX.Element {
  const label = name === undefined ? null : <span class="json-key">{visible(name)}</span>;
  if (typeof value !== "object" || value === null) {
    return (
      <div class="json-line">
        {label}
        <span class={`json-${value === null ? "null" : typeof value}`}>{shown(value)}</span>
      </div>
    );
  }
  const entries = Object.entries(value);
  if (entries.length === 0) {
    return (
      <div class="json-line">
        {label}
        <span class="json-null">{Array.isArray(value) ? "[]" : "{}"}</span>
      </div>
    );
  }
  if (name === undefined) return <div class="json">{fields(entries)}</div>;
  return (
    <Details
      class="json-node"
      isOpen={entries.length <= 6}
      summary={
        <>
          {label}
          <span class="json-null">
            {Array.isArray(value) ? `${entries.length} values` : `${entries.length} fields`}
          </span>
        </>
      }
    >
      {() => <div class="json-children">{fields(entries)}</div>}
    </Details>
  );
}

function fields(entries: readonly (readonly [string, unknown])[]): readonly JSX.Element[] {
  return entries.map(([key, inner]) => <JsonValue key={key} name={key} value={inner} />);
}

interface DetailsProps {
  readonly summary: ComponentChildren;
  readonly isOpen?: boolean;
  readonly class?: string;
  readonly children: () => JSX.Element;
}

/** What is folded is not made before it is wanted. */
export function Details({ summary, isOpen = false, class: kind = "", children }: DetailsProps): JSX.Element {
  const [open, setOpen] = useState(isOpen);
  return (
    <details class={kind} open={open} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{summary}</summary>
      {open ? children() : null}
    </details>
  );
}

export function shown(value: unknown): string {
  return visible(typeof value === "string" ? value : (JSON.stringify(value) ?? "undefined"));
}
