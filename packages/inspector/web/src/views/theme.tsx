import { effect, signal } from "@preact/signals";
import type { JSX } from "preact";

const themes = ["system", "light", "dark"] as const;
type Theme = (typeof themes)[number];

const key = "fetch-image-theme";

export const theme = signal<Theme>(themes.find((name) => name === storage()?.getItem(key)) ?? "system");

effect(() => {
  if (theme.value === "system") {
    delete document.documentElement.dataset["theme"];
    storage()?.removeItem(key);
  } else {
    document.documentElement.dataset["theme"] = theme.value;
    storage()?.setItem(key, theme.value);
  }
});

/** Undefined where the browser lets pages keep nothing: the choice lasts as long as the page then. */
function storage(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}

export function ThemeChoice(): JSX.Element {
  return (
    <select
      aria-label="Colours"
      value={theme.value}
      onChange={({ currentTarget }) => {
        theme.value = themes.find((name) => name === currentTarget.value) ?? "system";
      }}
    >
      <option value="system">system colours</option>
      <option value="light">light</option>
      <option value="dark">dark</option>
    </select>
  );
}
