import { labelValue, podHandle, podLabels, podName, podSelector } from "@fetch-image/kubernetes";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seedFromEnv } from "../properties/seed.ts";
import { anyIdentity } from "./any-step.ts";
import { dnsLabel } from "./manifest-problems.ts";

const seed = seedFromEnv();
const unit = {
  team: "main",
  pipeline: "ci",
  job: "unit",
  buildId: "4711",
  buildName: "42",
  type: "task",
  key: "3",
} as const;

describe("a pod's name", () => {
  test("is what operators of Concourse on Kubernetes look for", () => {
    expect(podName(unit)).toMatch(/^ci-unit-b42-task-[0-9a-f]{8}$/);
    expect(podName({ buildId: "7", type: "check", key: "1" })).toMatch(/^b7-check-[0-9a-f]{8}$/);
    expect(podName({ ...unit, pipeline: "My Pipeline!", job: "ünit" })).toMatch(/^my-pipeline-nit-b42-task-/);
  });

  test("never changes from release to release: a scheduler finds the pods of the one before", () => {
    expect(podName(unit)).toBe("ci-unit-b42-task-5861ce16");
  });

  test("keeps something of each of its parts, however long one is", () => {
    const long = "x".repeat(100);
    expect(podName({ ...unit, pipeline: long })).toMatch(/^x{40}-unit-b42-task-/);
    expect(podName({ ...unit, job: long })).toMatch(/^ci-x{42}-b42-task-/);
    expect(podName({ ...unit, pipeline: long, job: long })).toMatch(/^x{22}-x{22}-b42-task-/);
    expect(podName({ ...unit, pipeline: long, job: long, buildName: long })).toHaveLength(63);
  });

  test("is a DNS label of at most 63 characters, whatever anything is called", () => {
    fc.assert(
      fc.property(anyIdentity, (identity) => {
        expect(podName(identity)).toMatch(dnsLabel);
        expect(podName(identity)).toMatch(new RegExp(`${identity.type}-[0-9a-f]{8}$`));
      }),
      { seed, numRuns: 2000 },
    );
  });

  test("is the same for the same step and another for any other, even where names are cut alike", () => {
    fc.assert(
      fc.property(anyIdentity, anyIdentity, (one, other) => {
        const identity = ({ team = "", pipeline = "", job = "", buildId, type, key }: typeof one) =>
          JSON.stringify([team, pipeline, job, buildId, type, key]);
        expect(podHandle({ ...one })).toBe(podHandle(one));
        expect(podHandle(one) === podHandle(other)).toBe(identity(one) === identity(other));
        expect(podSelector(one)).toBe(`concourse.ci/handle=${podHandle(one)}`);
      }),
      { seed, numRuns: 1000 },
    );
    const long = "x".repeat(100);
    expect(podName({ ...unit, job: `${long}1` })).not.toBe(podName({ ...unit, job: `${long}2` }));
  });
});

describe("labels", () => {
  test("say whose pod it is, as they are where they may stand so", () => {
    const { labels, annotations } = podLabels(unit, "unit tests");
    expect(labels).toEqual({
      "app.kubernetes.io/managed-by": "fetch-image",
      "concourse.ci/handle": podHandle(unit),
      "concourse.ci/type": "task",
      "concourse.ci/team": "main",
      "concourse.ci/pipeline": "ci",
      "concourse.ci/job": "unit",
      "concourse.ci/build": "42",
      "concourse.ci/build-id": "4711",
      "concourse.ci/step": expect.stringMatching(/^unit-tests-[0-9a-f]{8}$/),
    });
    expect(annotations["concourse.ci/step"]).toBe("unit tests");
  });

  test("are valid whatever they say, and two texts never become one", () => {
    const text = fc.string({ unit: "binary", maxLength: 100 });
    fc.assert(
      fc.property(text, text, (one, other) => {
        for (const value of [one, other].map(labelValue)) {
          expect(value).toMatch(/^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/);
        }
        expect(labelValue(one) === labelValue(other)).toBe(one === other);
      }),
      { seed, numRuns: 1000 },
    );
  });
});
