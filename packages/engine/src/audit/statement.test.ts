import { expect, test } from "vitest";
import type { AuditImage } from "./answers.ts";
import { buildStatement, packageUrl } from "./statement.ts";

const hex = "1f".repeat(32);
const reference = `registry.example.com:5000/team/My-app:v1.2@sha256:${hex}`;
const image = (more: Partial<AuditImage>): AuditImage => ({
  build: "123",
  plan: "1",
  fetch: "1/image-get",
  type: "registry-image",
  state: "short-circuited",
  image: reference,
  digest: `sha256:${hex}`,
  version: { tag: "v1.2", digest: `sha256:${hex}` },
  via: "HEAD",
  observedAt: "2026-11-22T04:40:01.000Z",
  requestedAt: "2026-11-22T04:40:00.000Z",
  endedAt: "2026-11-22T04:40:02.000Z",
  ...more,
});

test("an image's package URL is the canonical one of type oci", () => {
  expect(packageUrl(reference)).toBe(
    `pkg:oci/my-app@sha256:${hex}?repository_url=registry.example.com:5000%2Fteam%2FMy-app&tag=v1.2`,
  );
  expect(packageUrl("docker.io/library/debian@sha256:244fd47e07d10")).toBe(
    "pkg:oci/debian@sha256:244fd47e07d10?repository_url=docker.io%2Flibrary%2Fdebian",
  );
  expect(packageUrl("localhost:5000/app:v1")).toBe("pkg:oci/app?repository_url=localhost:5000%2Fapp&tag=v1");
});

test("a statement has each image that ran once, with everything that ran in it", () => {
  const images = [
    image({}),
    image({ plan: "2", fetch: "2/image-get", via: "joined", endedAt: "2026-11-22T04:40:09.000Z" }),
    image({ plan: "3", fetch: "3/image-get", state: "failed", image: `docker.io/library/no:1@sha256:${hex}` }),
  ];
  const build = { build: "123", team: "main", pipeline: "ci", job: "unit" };
  const statement = buildStatement(build, images);
  expect(statement).toMatchObject({
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "build/123", digest: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } }],
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "urn:fetch-image:concourse-build:v1",
        externalParameters: { build: "123", team: "main", pipeline: "ci", job: "unit" },
        internalParameters: { images: [] },
        resolvedDependencies: [
          {
            uri: packageUrl(reference),
            digest: { sha256: hex },
            annotations: {
              reference,
              ran: [
                { plan: "1", via: "HEAD" },
                { plan: "2", via: "joined" },
              ],
            },
          },
        ],
      },
      runDetails: {
        builder: { id: "urn:fetch-image:scheduler" },
        metadata: {
          invocationId: "123",
          startedOn: "2026-11-22T04:40:00.000Z",
          finishedOn: "2026-11-22T04:40:09.000Z",
        },
      },
    },
  });
  expect(buildStatement(build, images)).toEqual(statement);
  expect(JSON.parse(JSON.stringify(statement))).toEqual(statement);
});

test("the subject is what the scheduler says it made, else a record that differs with the images", () => {
  const made = [{ name: "app.tar", sha256: hex }];
  const named = buildStatement({ build: "1" }, [image({})], { subjects: made, builderId: "https://ci.example.com" });
  expect(named).toMatchObject({
    subject: [{ name: "app.tar", digest: { sha256: hex } }],
    predicate: { runDetails: { builder: { id: "https://ci.example.com" } } },
  });
  const [one, other] = ["v1", "v2"].map((tag) => buildStatement({ build: "1" }, [image({ image: `a.test/b:${tag}` })]));
  expect(one?.["subject"]).not.toEqual(other?.["subject"]);
});

test("an image without a digest says so, and another type's version stands beside the images", () => {
  const { digest: _digest, ...unpinned } = image({ image: "registry.example.com/app:v1" });
  const { image: _image, digest: _none, ...git } = image({ type: "git", version: { ref: "ab12" }, state: "fetched" });
  expect(buildStatement({ build: "1" }, [unpinned, git])).toMatchObject({
    predicate: {
      buildDefinition: {
        internalParameters: { images: [{ plan: "1", type: "git", version: { ref: "ab12" } }] },
        resolvedDependencies: [
          {
            uri: "pkg:oci/app?repository_url=registry.example.com%2Fapp&tag=v1",
            annotations: { warning: "nobody knew a digest: the tag may mean another image now" },
          },
        ],
      },
    },
  });
});
