import { expect, test } from "vitest";
import { buildFactSchemas } from "./build-facts.ts";
import { buildStream, buildStreamPrefix, machineVersion, scopeStream, scopeStreamPrefix } from "./facts.ts";
import { scopeFactSchemas } from "./scope-facts.ts";
import { fetchImageMachine } from "../fetch-image/machine.ts";

test("stream names are public API", () => {
  expect([buildStream("123"), scopeStream("0a1b")]).toEqual(["build-123", "imageScope-0a1b"]);
  expect([buildStreamPrefix, scopeStreamPrefix]).toEqual(["build-", "imageScope-"]);
});

test("the names of facts are public API: those that are stored somewhere are never renamed or taken away", () => {
  expect(Object.keys(buildFactSchemas)).toEqual(
    expect.arrayContaining([
      "BuildOpened",
      "BuildAdopted",
      "BuildPlanned",
      "FetchRequested",
      "PolicyDecided",
      "PolicyUnanswered",
      "ImageCheck",
      "ImageGet",
      "CheckJoined",
      "ImageChecked",
      "ImageCheckFailed",
      "TimerFired",
      "ImageVersionResolved",
      "ImageShortCircuited",
      "ArtifactFetched",
      "ArtifactFetchFailed",
      "OutputWritten",
      "ArtifactImageResolved",
      "FetchFailed",
      "FetchAborted",
    ]),
  );
  expect(Object.keys(scopeFactSchemas)).toEqual(
    expect.arrayContaining(["CheckClaimed", "VersionObserved", "VersionVanished", "CheckFailed", "RateLimitObserved"]),
  );
});

test("facts name the version of the machine that took them", () => {
  expect(fetchImageMachine.version).toBe(machineVersion);
});
