import { duration, visible } from "@fetch-image/core";
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { RegistryAnswer } from "../../../src/registries/registry-answer.ts";
import { problemText } from "../live/problem.ts";
import { api, ask, server } from "../live/server.ts";
import { now } from "../parts/now.ts";
import type { BudgetPlot } from "./budget-plot.ts";
import { theme } from "./theme.tsx";

const refreshMs = 10_000;

/** What the registries said of their rate limits: how many requests are left, and how that went. */
export function Registries(): JSX.Element {
  const [registries, setRegistries] = useState<readonly RegistryAnswer[] | undefined>(undefined);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const isThere = server.value === "here";
  useEffect(() => {
    if (!isThere) return undefined;
    const load = async (): Promise<void> => {
      try {
        setRegistries((await ask<{ readonly registries: readonly RegistryAnswer[] }>(api("registries"))).registries);
        setProblem(undefined);
      } catch (error) {
        setProblem(problemText(error));
      }
    };
    void load();
    const timer = setInterval(() => {
      if (!document.hidden) void load();
    }, refreshMs);
    return () => clearInterval(timer);
  }, [isThere]);
  return (
    <div class="page">
      <h1>Registries</h1>
      {problem === undefined ? null : <p class="problem">{problem}</p>}
      {registries?.length === 0 ? <p class="nothing">No registry has told a rate limit yet.</p> : null}
      {registries?.map((registry) => (
        <Registry key={registry.host} registry={registry} />
      ))}
    </div>
  );
}

function Registry({ registry }: { readonly registry: RegistryAnswer }): JSX.Element {
  const { host, limit, remaining, windowS, observedAt, pausedUntil, points } = registry;
  const isPaused = pausedUntil !== undefined && Date.parse(pausedUntil) > now.value;
  const isLow = limit !== undefined && remaining !== undefined && remaining * 5 < limit;
  return (
    <section class="registry" aria-label={visible(host)}>
      <h2>
        {visible(host)}
        {isPaused ? <span class="mark drift">paused until {visible(pausedUntil)}</span> : null}
        {isLow ? <span class="mark drift">few left</span> : null}
      </h2>
      <p>
        {remaining === undefined ? (
          "It tells no rate limit"
        ) : (
          <>
            <strong>{remaining}</strong>
            {limit === undefined ? "" : ` of ${limit}`} requests left
            {windowS === undefined ? "" : ` per ${duration(windowS * 1000)}`}
          </>
        )}
        <span class="muted"> as of {visible(observedAt)}</span>
      </p>
      {points.length < 2 ? null : <Plot registry={registry} />}
      {points.length === 0 ? null : (
        <details>
          <summary>The same as a table</summary>
          <table>
            <thead>
              <tr>
                <th scope="col">At</th>
                <th scope="col">Left</th>
                <th scope="col">Of</th>
              </tr>
            </thead>
            <tbody>
              {points.slice(-50).map(({ at, remaining, limit }, index) => (
                <tr key={`${at} ${index}`}>
                  <td>{visible(at)}</td>
                  <td>{remaining}</td>
                  <td>{limit ?? "?"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
    </section>
  );
}

/** Loaded when it is wanted: the first view plots nothing. */
function Plot({ registry }: { readonly registry: RegistryAnswer }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<BudgetPlot | undefined>(undefined);
  const { points, host } = registry;
  const chosen = theme.value;
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    let isGone = false;
    const draw = async (): Promise<void> => {
      const { plotBudget } = await import("./budget-plot.ts");
      if (!isGone) plot.current = plotBudget(element, points);
    };
    void draw();
    return () => {
      isGone = true;
      plot.current?.destroy();
    };
  }, [points, chosen]);
  return (
    <div
      class="plot"
      ref={box}
      role="img"
      aria-label={`Requests left at ${visible(host)} over time; the table below says the same`}
    />
  );
}
