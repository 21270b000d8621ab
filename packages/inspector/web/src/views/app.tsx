import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { address, go, type ViewName } from "../live/address.ts";
import { build } from "../live/build.ts";
import { fileProblem, openedFile, openFiles } from "../live/file.ts";
import { listFromServer } from "../live/list.ts";
import { server, unlock } from "../live/server.ts";
import { Icon } from "../parts/icons.tsx";
import { Tabs } from "../parts/tabs.tsx";
import { Chart } from "./chart.tsx";
import { FactList } from "./fact-list.tsx";
import { FetchList } from "./fetch-list.tsx";
import { Heading } from "./heading.tsx";
import { LogPanel } from "./log-panel.tsx";
import { Registries } from "./registries.tsx";
import { Scrubber } from "./scrubber.tsx";
import { SequencePanel } from "./sequence-panel.tsx";
import { StatePanel } from "./state-panel.tsx";
import { Tags } from "./tags.tsx";
import { ThemeChoice } from "./theme.tsx";

export function App(): JSX.Element {
  return (
    <>
      <a class="skip" href="#main">
        Skip to the fetch
      </a>
      <Bar />
      {fileProblem.value === undefined ? null : (
        <p class="problem page-problem" role="alert">
          {fileProblem.value}
        </p>
      )}
      <View />
      <DropTarget />
    </>
  );
}

const viewNames: readonly (readonly [ViewName, string])[] = [
  ["fetches", "Fetches"],
  ["tags", "Tags"],
  ["registries", "Registries"],
];

function Bar(): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const { view } = address.value;
  return (
    <header class="bar">
      <span class="brand">fetch-image</span>
      <nav aria-label="Views" class="views">
        {viewNames.map(([name, label]) => (
          <a
            key={name}
            href={name === "fetches" ? "?" : `?view=${name}`}
            {...(view === name ? { "aria-current": "page" as const } : {})}
            onClick={(event) => {
              if (event.ctrlKey || event.metaKey || event.shiftKey) return;
              event.preventDefault();
              go({ view: name });
            }}
          >
            {label}
          </a>
        ))}
      </nav>
      <span class="bar-tools">
        <button type="button" onClick={() => input.current?.click()}>
          <Icon name="file" />
          <span class="label">Open file</span>
        </button>
        <input
          ref={input}
          class="hidden-file"
          type="file"
          multiple
          accept=".ndjson,.jsonl,.json,application/x-ndjson"
          aria-label="Exported facts"
          tabIndex={-1}
          onChange={({ currentTarget }) => {
            void openFiles([...(currentTarget.files ?? [])]);
            currentTarget.value = "";
          }}
        />
        <ThemeChoice />
      </span>
    </header>
  );
}

function View(): JSX.Element {
  const { view } = address.value;
  const isOpen = openedFile.value !== undefined;
  if (server.value === "locked") return <Token />;
  if (server.value === "none" && !isOpen) return <Alone />;
  return (
    <main id="main" class={view === "fetches" ? "main" : "main wide"}>
      {view === "fetches" ? <Fetches /> : view === "tags" ? <Tags /> : <Registries />}
    </main>
  );
}

function Fetches(): JSX.Element {
  const isChosen = address.value.build !== undefined;
  return (
    <div class={`fetches-view${isChosen ? " chosen" : ""}`}>
      <FetchList />
      {isChosen ? <Chosen /> : <Unchosen />}
    </div>
  );
}

function Unchosen(): JSX.Element {
  return (
    <div class="unchosen">
      <p class="muted unchosen-words">
        Choose a build or a fetch to see it in this machine, or drop an exported file here.
      </p>
      <Chart />
    </div>
  );
}

function Chosen(): JSX.Element {
  const tabs = [
    { name: "State", content: () => <StatePanel /> },
    { name: "Facts", content: () => <FactList /> },
    { name: "Log", content: () => <LogPanel /> },
    { name: "Sequence", content: () => <SequencePanel /> },
  ];
  return (
    <div class="chosen-fetch">
      <Heading />
      <div class="chart-and-panels">
        <Chart />
        <div class="side">
          {build.value === undefined ? <p class="nothing">reading…</p> : <Tabs label="About this fact" tabs={tabs} />}
        </div>
      </div>
      <Scrubber />
    </div>
  );
}

/** Served by something else than the inspector: a page for files. */
function Alone(): JSX.Element {
  return (
    <main id="main" class="main alone">
      <div class="alone-words">
        <h1>Open an exported stream</h1>
        <p>
          No inspector answers here. Drop an export on this page, or choose it with <em>Open file</em>: facts as NDJSON,
          one a line. Nothing leaves this browser.
        </p>
      </div>
      <Chart />
    </main>
  );
}

const tokenProblem = signal<string | undefined>(undefined);

function Token(): JSX.Element {
  return (
    <main id="main" class="main alone">
      <form
        class="ask"
        onSubmit={(event) => {
          event.preventDefault();
          const token = new FormData(event.currentTarget).get("token");
          void enter(typeof token === "string" ? token : "");
        }}
      >
        <h1>This inspector wants its token</h1>
        <label>
          Token
          <input name="token" type="password" autoComplete="current-password" required />
        </label>
        <button type="submit">Open</button>
        {tokenProblem.value === undefined ? null : (
          <p class="problem" role="alert">
            {tokenProblem.value}
          </p>
        )}
      </form>
    </main>
  );
}

async function enter(token: string): Promise<void> {
  const isRight = await unlock(token).catch(() => false);
  tokenProblem.value = isRight ? undefined : "That is not the token that the server was started with.";
  if (isRight) await listFromServer();
}

const isDragging = signal(false);

/** Files may be dropped anywhere on the page. */
function DropTarget(): JSX.Element | null {
  useEffect(() => {
    const onOver = (event: DragEvent): void => {
      if (!(event.dataTransfer?.types.includes("Files") ?? false)) return;
      event.preventDefault();
      isDragging.value = true;
    };
    const onLeave = (event: DragEvent): void => {
      if (event.relatedTarget === null) isDragging.value = false;
    };
    const onDrop = (event: DragEvent): void => {
      event.preventDefault();
      isDragging.value = false;
      void openFiles([...(event.dataTransfer?.files ?? [])]);
    };
    addEventListener("dragover", onOver);
    addEventListener("dragleave", onLeave);
    addEventListener("drop", onDrop);
    return () => {
      removeEventListener("dragover", onOver);
      removeEventListener("dragleave", onLeave);
      removeEventListener("drop", onDrop);
    };
  }, []);
  return isDragging.value ? <div class="drop">Drop exported facts here</div> : null;
}
