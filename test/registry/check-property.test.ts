import {
  type CheckStep,
  type Digest,
  nextCheckStep,
  type VersionCursor,
  versionRule,
  type VersionSource,
} from "@fetch-image/core";
import { createImageRegistry } from "@fetch-image/registry";
import { buildImage, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { seedFromEnv } from "../properties/seed.ts";
import { patient, sourceAt } from "./support.ts";

/** By tag: the image it points to, or undefined where the list alone has it. */
type Repository = ReadonlyMap<string, number | undefined>;

const images = Array.from({ length: 6 }, (_, at) => ({
  layers: [`image ${at}`],
  created: at === 0 ? null : `2024-01-0${(at * 5) % 7}T00:00:00Z`,
}));
const unheld: Digest = `sha256:${"0".repeat(64)}`;
const digests = images.map((recipe) => buildImage(recipe).digest);

test("a check over HTTP answers as the rule does that is told everything at once, and asks for each tag once", async () => {
  await using peer = await startEmbeddedRegistry({ tagsPerPage: 3 });
  await using registry = createImageRegistry({ limits: { concurrentQuestions: 3 } });
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(source(), repository(), cursor(), async (source, repository, cursor) => {
      const name = `acme/app-${runs++}`;
      for (const [tag, image] of repository) {
        await peer.push(`${name}:${tag}`, images[image ?? 0]);
        if (image === undefined) peer.answerAlways("*", `/v2/${name}/manifests/${tag}`, 404);
      }
      const expected = answerOf(source, repository, cursor);
      peer.clearRequests();
      const found = await registry.check(sourceAt(peer, name, source), { ...patient, cursor });
      expect(found.versions).toEqual(expected.versions);
      expect(found.rejected).toEqual(expected.rejected);
      expect(found.requests).toBe(peer.requests.length);
      const heads = peer.requests.filter(({ method }) => method === "HEAD").map(({ path }) => path);
      expect(new Set(heads).size).toBe(heads.length);
      const newest = await registry.check(sourceAt(peer, name, source), { ...patient, cursor, want: "newest" });
      expect(newest.versions).toEqual(expected.versions.slice(-1));
      expect(newest.requests).toBeLessThanOrEqual(found.requests);
      peer.clearFaults();
    }),
    { seed: seedFromEnv(), numRuns: 60 },
  );
});

function answerOf(
  source: VersionSource,
  repository: Repository,
  cursor: VersionCursor | undefined,
): Extract<CheckStep, { next: "answer" }> {
  const parsed = versionRule(source);
  if (!parsed.ok) throw parsed.error;
  const held = new Set([...repository.values()].map((image) => digests[image ?? 0]));
  const facts = {
    // The embedded registry lists by code unit.
    tags: [...repository.keys()].toSorted(),
    digests: new Map<string, Digest | "absent">([
      [source.tag ?? "", "absent"],
      ...[...repository].map(([tag, image]) => [tag, digests[image ?? -1] ?? "absent"] as const),
    ]),
    present: new Map([unheld, ...digests].map((digest) => [digest, held.has(digest)])),
    created: new Map(digests.map((digest, at) => [digest, images[at]?.created ?? undefined])),
  };
  const step = nextCheckStep(parsed.rule, { cursor, facts });
  if (step.next !== "answer") throw new Error(`everything is known, and yet it wants to ${step.next}`);
  return step;
}

function repository(): fc.Arbitrary<Repository> {
  const image = fc.oneof({ weight: 6, arbitrary: fc.nat(images.length - 1) }, fc.constant(undefined));
  return fc
    .uniqueArray(fc.tuple(tag(), image), { selector: ([tag]) => tag, minLength: 1, maxLength: 12 })
    .map((entries) => new Map(entries));
}

function tag(): fc.Arbitrary<string> {
  return fc.constantFrom(
    ..."1 1.0 1.0.0 1.1 1.1.0 v1.2.0 2.0.0 2 2.0.0-rc.1 2.1.0-beta-1 3.0.0-dev.1".split(" "),
    ..."latest foo 1.0.0-foo 1.1.0-foo 2.0.0-rc.1-foo nightly".split(" "),
  );
}

function cursor(): fc.Arbitrary<VersionCursor | undefined> {
  const digest = fc.constantFrom(undefined, "", unheld, ...digests, ...digests);
  return fc.option(fc.record({ tag: fc.option(tag(), { nil: undefined }), digest }), { nil: undefined });
}

function source(): fc.Arbitrary<VersionSource> {
  const semver = fc.record(
    {
      variant: fc.constant("foo"),
      semver_constraint: fc.constantFrom("*", ">=1.1", "~1.1", ">=0.0.0-0"),
      pre_releases: fc.boolean(),
      pre_release_prefixes: fc.constantFrom<readonly string[]>([], ["dev"]),
    },
    { requiredKeys: [] },
  );
  const regex = fc.record({ tag_regex: fc.constantFrom("^1", ".", "foo$"), created_at_sort: fc.boolean() });
  return fc.oneof(fc.record({ tag: tag() }), { weight: 2, arbitrary: semver }, regex);
}
