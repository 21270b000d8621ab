import { createFetchImageEngine } from "@fetch-image/engine";
import { expect, test } from "vitest";
import { factsOf, factTypesOf, scene, typePlans } from "../support/engine.ts";

const repository = "registry.example.com/acme/git-resource";
const request = { ...typePlans("2", { repository, tag: "v1.2" }), privileged: false };

test("a build that is said to be new is not read, and stored as any other", async () => {
  const { registry, clock, eventLog } = scene();
  const digest = registry.push(`${repository}:v1.2`, "one");
  const read: string[] = [];
  const watched = {
    ...eventLog,
    append: eventLog.append.bind(eventLog),
    read: (...[stream, options]: Parameters<typeof eventLog.read>) => {
      read.push(stream);
      return eventLog.read(stream, options);
    },
  };
  await using engine = createFetchImageEngine({ eventLog: watched, registry, clock, nativeImageFetch: true });
  await using build = await engine.openBuild({ id: "1", isNew: true });
  const { imageURL } = await build.fetchImage(request);
  expect(imageURL).toContain(digest);
  expect(read).not.toContain("build-1");
  expect(await factTypesOf(eventLog, "1")).toEqual([
    "BuildOpened",
    "FetchRequested",
    "ImageChecked",
    "ImageVersionResolved",
    "ImageShortCircuited",
  ]);
});

test("one that is not new is refused, naming who wrote it, and nothing is written; opened as it is, it goes on", async () => {
  const { engine, eventLog, registry, clock } = scene({ node: "a" });
  registry.push(`${repository}:v1.2`, "one");
  const first = await engine.openBuild({ id: "1" });
  const { imageURL } = await first.fetchImage(request);
  await first.close();
  const before = await factsOf(eventLog, "1");

  await using other = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, node: "b" });
  const mistaken = await other.openBuild({ id: "1", isNew: true });
  await expect(mistaken.fetchImage(request)).rejects.toMatchObject({
    code: "FI_BUILD_ADOPTED",
    message: "build 1 is written by a now; b writes nothing more of it",
  });
  expect(await factsOf(eventLog, "1")).toEqual(before);

  const again = await other.openBuild({ id: "1" });
  expect(await again.fetchImage(request)).toMatchObject({ imageURL });
  expect(await factsOf(eventLog, "1")).toEqual(before);
});
