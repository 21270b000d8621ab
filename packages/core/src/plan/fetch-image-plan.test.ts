import { expect, test } from "vitest";
import { fetchImagePlan, imageForType } from "./fetch-image-plan.ts";
import type { ResourceType } from "./plan.ts";

const source = { repository: "reg.example/acme/golang" };

test("an image without a version is checked, then got at the version the check finds", () => {
  expect(fetchImagePlan("5", { type: "registry-image", source, params: { format: "oci" } }, [])).toEqual({
    checkPlan: {
      id: "5/image-check",
      check: { name: "image", type: "registry-image", source, base_type: "registry-image", interval: "1m0s" },
    },
    getPlan: {
      id: "5/image-get",
      get: {
        name: "image",
        type: "registry-image",
        source,
        base_type: "registry-image",
        params: { format: "oci" },
        version_from: "5/image-check",
      },
    },
  });
});

test("an image with a version is only got", () => {
  const version = { digest: `sha256:${"a".repeat(64)}` };
  expect(fetchImagePlan("5", { type: "registry-image", source, version }, [])).toEqual({
    getPlan: {
      id: "5/image-get",
      get: { name: "image", type: "registry-image", source, base_type: "registry-image", version },
    },
  });
});

test("the step's tags are used where the image has none, and all the way down", () => {
  const inner: ResourceType = { name: "inner", type: "registry-image", source };
  const outer: ResourceType = { name: "outer", type: "inner", source, tags: ["of-type"] };
  const byStep = fetchImagePlan("1", { type: "inner", source }, [inner], { stepTags: ["of-step"] });
  expect(byStep.getPlan.get.tags).toEqual(["of-step"]);
  expect(byStep.checkPlan?.check.tags).toEqual(["of-step"]);
  expect(byStep.getPlan.get.image_get_plan?.get.tags).toEqual(["of-step"]);
  const byType = imageForType("1", "outer", [inner, outer], { stepTags: ["of-step"] });
  expect(byType.image_get_plan?.get.tags).toEqual(["of-type"]);
  expect(byType.image_get_plan?.get.image_check_plan?.check.tags).toEqual(["of-type"]);
  const byImage = fetchImagePlan("1", { type: "registry-image", source, tags: ["own"] }, [], { stepTags: ["of-step"] });
  expect(byImage.getPlan.get.tags).toEqual(["own"]);
});

test("a type's check_every is the interval of its own image's check, not of those below", () => {
  const types: ResourceType[] = [
    { name: "outer", type: "inner", source, check_every: "24h" },
    { name: "inner", type: "registry-image", source, check_every: "never" },
  ];
  const { image_check_plan: outer } = imageForType("1", "outer", types);
  expect(outer?.check.interval).toBe("24h0m0s");
  expect(outer?.check.image_check_plan?.check.interval).toBe("never");
  expect(
    fetchImagePlan("1", { type: "registry-image", source }, [], { checkEvery: "2h" }).checkPlan?.check.interval,
  ).toBe("2h0m0s");
});

test("a build triggered by hand asks at every level, whatever the interval", () => {
  const types: ResourceType[] = [
    { name: "outer", type: "inner", source },
    { name: "inner", type: "registry-image", source },
  ];
  const { image_check_plan: outer } = imageForType("1", "outer", types, { skipInterval: true });
  expect(outer?.check.skip_interval).toBe(true);
  expect(outer?.check.image_check_plan?.check.skip_interval).toBe(true);
  expect(imageForType("1", "outer", types).image_check_plan?.check).not.toHaveProperty("skip_interval");
});

test("a type's image is called after the type; a type of a type is fetched inside of the check and of the get", () => {
  const types: ResourceType[] = [
    { name: "outer", type: "inner", source: { uri: "outer" }, privileged: true },
    { name: "inner", type: "git", source: { uri: "inner" } },
  ];
  const inner = (step: string) => ({
    image_check_plan: {
      id: `${step}/image-check`,
      check: {
        name: "inner",
        type: "git",
        source: { uri: "inner" },
        base_type: "git",
        interval: "1m0s",
        resource_type: "inner",
      },
    },
    image_get_plan: {
      id: `${step}/image-get`,
      get: {
        name: "inner",
        type: "git",
        source: { uri: "inner" },
        base_type: "git",
        version_from: `${step}/image-check`,
      },
    },
    base_type: "git",
  });
  expect(imageForType("a", "outer", types)).toEqual({
    image_check_plan: {
      id: "a/image-check",
      check: {
        name: "outer",
        type: "inner",
        source: { uri: "outer" },
        ...inner("a/image-check"),
        interval: "1m0s",
        resource_type: "outer",
      },
    },
    image_get_plan: {
      id: "a/image-get",
      get: {
        name: "outer",
        type: "inner",
        source: { uri: "outer" },
        ...inner("a/image-get"),
        version_from: "a/image-check",
      },
    },
    base_type: "git",
    privileged: true,
  });
});

test("a type may override the base type it is of", () => {
  const types: ResourceType[] = [{ name: "registry-image", type: "registry-image", source }];
  const { image_get_plan: getPlan, base_type: baseType } = imageForType("1", "registry-image", types);
  expect(getPlan?.get).toMatchObject({ name: "registry-image", type: "registry-image", base_type: "registry-image" });
  expect(getPlan?.get).not.toHaveProperty("image_get_plan");
  expect(baseType).toBe("registry-image");
});

test("a pinned type has no check, and a base type has no plans at all", () => {
  const version = { digest: `sha256:${"b".repeat(64)}` };
  const pinned = imageForType("1", "pinned", [{ name: "pinned", type: "registry-image", source, version }]);
  expect(pinned.image_check_plan).toBeUndefined();
  expect(pinned.image_get_plan?.get.version).toEqual(version);
  expect(imageForType("1", "git", [])).toEqual({ base_type: "git" });
});
