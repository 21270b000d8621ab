// Generators of requests, of the facts that reach a fetch, and of whole builds.
import type { FetchRequest } from "@fetch-image/core";
import * as fc from "fast-check";
import {
  aPinnedRequest,
  aRequest,
  aRequestOfOtherType,
  digestA,
  digestB,
  type InputFor,
  inputs,
  lastingFailure,
  passingFailure,
} from "./fetch-facts.ts";
import { BuildHistory } from "./stream-histories.ts";

const anyVersion = fc.constantFrom<{ readonly [key: string]: string }>(
  { tag: "v1", digest: digestA },
  { tag: "v1", digest: digestB },
  { digest: digestA },
  { tag: "v2" },
  { tag: "v1", digest: "" },
  { ref: "8d3f1c" },
  {},
);

const anyTraits = fc.record({
  kind: fc.constantFrom("task" as const, "type" as const),
  privileged: fc.boolean(),
  native: fc.boolean(),
  artifactWanted: fc.boolean(),
  policy: fc.boolean(),
  retry: fc.record({
    attempts: fc.integer({ min: 0, max: 4 }),
    baseMs: fc.constantFrom(0, 1, 500, 1000),
    capMs: fc.constantFrom(500, 30_000),
    patienceMs: fc.constantFrom(0, 5000, 60_000),
    jitter: fc.constantFrom(0, 0.25, 0.999, 1),
  }),
  joinMs: fc.constantFrom(0, 15_000),
});

const anyUnsupported = fc.option(fc.constant({ field: "tag_regex", reason: "every tag must be listed and matched" }), {
  freq: 4,
});

/** Every kind of request, possible ones and some that no planner makes: all of them must come to an end. */
export function anyRequest(fetchId = "f1/image-get"): fc.Arbitrary<FetchRequest> {
  const shape = fc.oneof(
    { weight: 4, arbitrary: fc.constant(aRequest({ fetchId })) },
    { weight: 2, arbitrary: fc.constant(aRequestOfOtherType({ fetchId })) },
    { weight: 3, arbitrary: anyVersion.map((version) => aPinnedRequest(version, { fetchId })) },
    // A static version beside a check: what remains where the check gives no digest.
    { weight: 2, arbitrary: anyVersion.map((version) => aRequest({ fetchId, version })) },
    { weight: 1, arbitrary: fc.constant(aPinnedRequest({ ref: "8d3f1c" }, { fetchId, type: "git-image" })) },
    { weight: 1, arbitrary: fc.constant(aPinnedRequest(undefined, { fetchId })) },
  );
  const without = fc.constantFrom<readonly (keyof FetchRequest)[]>([], [], [], ["tag"], ["repository"]);
  return fc.tuple(shape, anyTraits, anyUnsupported, without).map(([request, traits, unsupported, missing]) => {
    const whole = { ...request, ...traits, ...(unsupported === null ? {} : { unsupported }) };
    return Object.fromEntries(
      Object.entries(whole).filter(([field]) => !missing.includes(field as keyof FetchRequest)),
    ) as FetchRequest;
  });
}

const anyPhase = fc.constantFrom("request" as const, "digest" as const);
const anyRetryAfter = fc.constantFrom(undefined, 0, 2500, 3_600_000);
const anyFailure = fc.oneof(
  { weight: 3, arbitrary: fc.constant(passingFailure) },
  { weight: 1, arbitrary: fc.constant(lastingFailure) },
);

/** Any fact that can reach a fetch, whatever it waits for. */
export const anyInput: fc.Arbitrary<InputFor> = fc.oneof(
  { weight: 6, arbitrary: anyPhase.map((phase) => inputs.allowed(phase)) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(anyPhase, fc.constantFrom("soft" as const, "soft" as const, "hard" as const))
      .map(([phase, enforcement]) => inputs.denied(phase, enforcement)),
  },
  { weight: 1, arbitrary: anyPhase.map((phase) => inputs.unanswered(phase)) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        anyVersion,
        fc.constantFrom("HEAD" as const, "GET" as const, "fresh" as const, "joined" as const, "stale-served" as const),
      )
      .map(([version, via]) => inputs.checked(version, { via })),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(anyFailure, anyRetryAfter).map(([failure, ms]) => inputs.checkFailed(failure, ms)),
  },
  { weight: 3, arbitrary: fc.constant(inputs.joined()) },
  { weight: 8, arbitrary: fc.constantFrom(inputs.timer("backoff"), inputs.timer("patience")) },
  { weight: 3, arbitrary: fc.constantFrom(inputs.fetched(), inputs.fetched("volume-2")) },
  { weight: 5, arbitrary: fc.tuple(anyFailure, anyRetryAfter).map(([failure, ms]) => inputs.getFailed(failure, ms)) },
  { weight: 1, arbitrary: fc.constant(inputs.aborted()) },
);

const anyWait = fc.constantFrom(0, 1, 250, 1000, 61_000);

/** The history of one fetch: whatever comes is offered to it, and what the machine ignores is not stored. */
export function anyHistory(request: fc.Arbitrary<FetchRequest> = anyRequest()): fc.Arbitrary<BuildHistory> {
  const offers = fc.array(fc.record({ input: anyInput, wait: anyWait }), { maxLength: 40 });
  return fc.tuple(request, offers).map(([fetch, offered]) => {
    const history = new BuildHistory().request(fetch);
    for (const { input, wait } of offered) history.wait(wait).offer(input);
    return history;
  });
}

/** A build of up to four fetches whose facts are mixed, adopted by other nodes now and then. */
export function anyBuild(): fc.Arbitrary<BuildHistory> {
  const fetchIds = ["f1/image-get", "f2/image-get", "f3", "f4/image-get/image-get"];
  const requests = fc.tuple(...fetchIds.map((fetchId) => anyRequest(fetchId)));
  const move = fc.record({ fetch: fc.nat({ max: fetchIds.length }), input: anyInput, wait: anyWait });
  return fc.tuple(requests, fc.array(move, { maxLength: 80 })).map(([asked, moves]) => {
    const history = new BuildHistory();
    for (const { fetch, input, wait } of moves) {
      const request = asked[fetch];
      history.wait(wait);
      if (request === undefined) history.adopt(`node-${history.facts.length}`);
      else if (history.states.has(request.fetchId)) history.offer(input, request.fetchId);
      else history.request(request);
    }
    return history;
  });
}
