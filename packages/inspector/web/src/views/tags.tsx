import { duration, visible } from "@fetch-image/core";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Stay, TagHistory } from "../facts/tag-history.ts";
import { address, go } from "../live/address.ts";
import { openedFile } from "../live/file.ts";
import { images } from "../live/list.ts";
import { problemText } from "../live/problem.ts";
import { type RanPage, tagHistories, tagProblem, whoRan } from "../live/tags.ts";
import { now } from "../parts/now.ts";

/** Which digest a tag meant, when; where it moved; who ran which. */
export function Tags(): JSX.Element {
  const { ref = "", scope } = address.value;
  return (
    <div class="page">
      <h1>Tags</h1>
      {openedFile.value === undefined ? (
        <form
          class="ask"
          onSubmit={(event) => {
            event.preventDefault();
            const given = new FormData(event.currentTarget).get("ref");
            go({ ref: typeof given === "string" ? given.trim() : "", scope: undefined });
          }}
        >
          <label>
            Image
            <input
              name="ref"
              list="known-images"
              value={ref}
              placeholder="registry.example.com/app:v1"
              autoComplete="off"
            />
          </label>
          <datalist id="known-images">
            {images.value.slice(0, 500).map((image) => (
              <option key={image} value={image} />
            ))}
          </datalist>
          <button type="submit">Show history</button>
        </form>
      ) : null}
      {tagProblem.value === undefined ? null : <p class="problem">{tagProblem.value}</p>}
      {tagHistories.value.length === 0 && tagProblem.value === undefined ? (
        <div class="nothing">
          <p>
            {ref === "" && scope === undefined
              ? "Name an image, or choose one that was fetched:"
              : "Nothing was observed."}
          </p>
          <ul class="known">
            {images.value.slice(0, 40).map((image) => (
              <li key={image}>
                <button type="button" class="link" onClick={() => go({ ref: image, scope: undefined })}>
                  {visible(image)}
                </button>
              </li>
            ))}
          </ul>
        </div>
      ) : null}
      {tagHistories.value.map((history) => (
        <History key={history.scope} history={history} />
      ))}
    </div>
  );
}

function History({ history }: { readonly history: TagHistory }): JSX.Element {
  const { title, scope, credential, stays, failures } = history;
  const [chosen, choose] = useState<string | undefined>(undefined);
  const moves = stays.slice(1).filter((stay, index) => stay.digest !== stays[index]?.digest).length;
  const who =
    credential === undefined ? "" : credential === null ? " · asked anonymously" : ` · asked as ${credential}`;
  return (
    <section class="tag-history" aria-label={visible(title)}>
      <h2>{visible(title)}</h2>
      <p class="muted">
        scope <code>{visible(scope)}</code>
        {visible(who)} · {stays.length === 0 ? "never observed" : moves === 0 ? "never moved" : `moved ${moves} times`}
      </p>
      <TimeLine stays={stays} failures={failures} />
      <ol class="stays" reversed>
        {stays.toReversed().map((stay, index) => (
          <li key={`${stay.from} ${stay.digest}`}>
            <StayRow
              stay={stay}
              isNewest={index === 0}
              previous={stays[stays.length - index - 2]}
              isOpen={chosen === stay.from}
              onToggle={() => choose(chosen === stay.from ? undefined : stay.from)}
            />
          </li>
        ))}
      </ol>
    </section>
  );
}

interface StayRowProps {
  readonly stay: Stay;
  readonly isNewest: boolean;
  readonly previous: Stay | undefined;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
}

function StayRow({ stay, isNewest, previous, isOpen, onToggle }: StayRowProps): JSX.Element {
  const { digest, tag, from, lastSeen, observations, by } = stay;
  const isDrift = previous !== undefined && previous.digest !== digest;
  return (
    <div class="stay">
      <p>
        <code class="digest">{digest === undefined ? "no such tag" : visible(digest)}</code>
        {tag === undefined ? null : <span class="muted"> {visible(tag)}</span>}
        {isDrift ? <span class="mark drift">{digest === undefined ? "vanished" : "moved"}</span> : null}
        {isNewest ? <span class="mark">newest</span> : null}
      </p>
      <p class="muted">
        first seen {visible(from)}, last {visible(lastSeen)}, {observations === 1 ? "once" : `${observations} times`};
        found by{" "}
        <button
          type="button"
          class="link"
          onClick={() => go({ view: "fetches", build: by.build, fetch: by.fetch, at: undefined })}
        >
          build {visible(by.build)}, {visible(by.fetch)}
        </button>
      </p>
      {digest === undefined || openedFile.value !== undefined ? null : (
        <button type="button" aria-expanded={isOpen} onClick={onToggle}>
          Who ran it
        </button>
      )}
      {isOpen && digest !== undefined ? <WhoRan digest={digest} /> : null}
    </div>
  );
}

function WhoRan({ digest }: { readonly digest: string }): JSX.Element {
  const [rows, setRows] = useState<RanPage["rows"]>([]);
  const [next, setNext] = useState<string | undefined>(undefined);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const [isAsked, setAsked] = useState(false);
  const load = async (page?: string): Promise<void> => {
    try {
      const answer = await whoRan(digest, page);
      setRows((known) => [...known, ...answer.rows]);
      setNext(answer.next);
    } catch (error) {
      setProblem(problemText(error));
    }
    setAsked(true);
  };
  useEffect(() => void load(), []);
  if (problem !== undefined) return <p class="problem">{problem}</p>;
  if (!isAsked) return <p class="muted">asking…</p>;
  if (rows.length === 0) return <p class="muted">No build has run it.</p>;
  return (
    <>
      <table class="ran">
        <thead>
          <tr>
            <th scope="col">Build</th>
            <th scope="col">Job</th>
            <th scope="col">Step</th>
            <th scope="col">Requested</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ build, fetch, pipeline, job, step, requestedAt }) => (
            <tr key={`${build} ${fetch}`}>
              <td>
                <button type="button" class="link" onClick={() => go({ view: "fetches", build, fetch, at: undefined })}>
                  {visible(build)}
                </button>
              </td>
              <td>{visible([pipeline, job].filter(Boolean).join(" / "))}</td>
              <td>{visible(step ?? fetch)}</td>
              <td>{visible(requestedAt ?? "")}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {next === undefined ? null : (
        <button type="button" onClick={() => void load(next)}>
          More
        </button>
      )}
    </>
  );
}

const lineHeight = 84;

/** Stays side by side, as long as they lasted; the text below says the same. */
function TimeLine({ stays, failures }: Pick<TagHistory, "stays" | "failures">): JSX.Element | null {
  const line = useRef<SVGSVGElement>(null);
  // As wide as it is shown: words are as large on a phone as anywhere.
  const [lineWidth, setLineWidth] = useState(1000);
  useLayoutEffect(() => {
    const element = line.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => setLineWidth(Math.max(1, element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const [first] = stays;
  if (first === undefined) return null;
  const start = Date.parse(first.from);
  const span = Math.max(1, now.value - start);
  const x = (time: string): number => ((Date.parse(time) - start) / span) * lineWidth;
  const digests = [...new Set(stays.map(({ digest }) => digest))];
  return (
    <svg
      ref={line}
      class="time-line"
      viewBox={`0 0 ${lineWidth} ${lineHeight}`}
      height={lineHeight}
      role="img"
      aria-label={inWords(stays, span)}
    >
      {stays.map((stay, index) => {
        const [left, seen] = [x(stay.from), x(stay.lastSeen)];
        const right = stays[index + 1] === undefined ? lineWidth : x(stays[index + 1]?.from ?? "");
        const band = stay.digest === undefined ? "vanished" : `band-${digests.indexOf(stay.digest) % 4}`;
        return (
          <g key={stay.from} class={band}>
            <rect class="presumed" x={left} y="22" width={Math.max(2, right - left)} height="34" />
            <rect class="observed" x={left} y="22" width={Math.max(3, seen - left)} height="34" />
            {right - left > 110 ? (
              <text x={left + 8} y="44">
                {stay.digest === undefined ? "no such tag" : visible(stay.digest.slice(7, 19))}
              </text>
            ) : null}
            {index === 0 ? null : <path class="drift-mark" d={`M${left} 18v42M${left - 6} 8h12l-6 9z`} />}
          </g>
        );
      })}
      {failures.map(({ at, code }, index) => (
        <path key={`${at} ${index}`} class="failure-mark" d={`M${x(at) - 4} 64l8 8m0-8-8 8`}>
          <title>{visible(`${at}: ${code}`)}</title>
        </path>
      ))}
      <text class="axis" x="0" y={lineHeight - 2}>
        {visible(first.from.slice(0, 16).replace("T", " "))}
      </text>
      <text class="axis end" x={lineWidth} y={lineHeight - 2}>
        now
      </text>
    </svg>
  );
}

function inWords(stays: readonly Stay[], span: number): string {
  const all = stays.map(({ digest, from }) => `${digest ?? "no such tag"} from ${from}`).join("; ");
  return visible(`In ${duration(span)}: ${all}`);
}
