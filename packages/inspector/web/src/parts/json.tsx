import { visible } from "@fetch-image/core";
import type { JSX } from "preact";

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
  const children = entries.map(([key, inner]) => <JsonValue key={key} name={key} value={inner} />);
  if (name === undefined) return <div class="json">{children}</div>;
  return (
    <details class="json-node" open={entries.length <= 6}>
      <summary>
        {label}
        <span class="json-null">{Array.isArray(value) ? `${entries.length} values` : `${entries.length} fields`}</span>
      </summary>
      <div class="json-children">{children}</div>
    </details>
  );
}

export function shown(value: unknown): string {
  return visible(typeof value === "string" ? value : (JSON.stringify(value) ?? "undefined"));
}
