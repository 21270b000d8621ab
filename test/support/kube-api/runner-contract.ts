import { setTimeout as sleep } from "node:timers/promises";
import { type CheckPlan, FetchImageError, type JsonObject, type StepContext } from "@fetch-image/core";
import { createPodStepRunner, openCluster, type PodStepRunner } from "@fetch-image/kubernetes/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** A cluster whose nodes have the image of Concourse's `mock` resource, or something that answers the same. */
export interface RunnerGround extends AsyncDisposable {
  readonly kubeconfig: string;
  readonly namespace?: string;
}

/** What every cluster must do for the step runner: the stub and real ones alike. `missing`: why it cannot be tried here. */
export function runnerContract(name: string, start: () => Promise<RunnerGround>, missing?: string): void {
  describe.skipIf(missing !== undefined)(`${name}${missing === undefined ? "" : ` (${missing})`}`, () => {
    let ground: RunnerGround;
    let runner: PodStepRunner;
    beforeAll(async () => {
      ground = await start();
      runner = newRunner();
    });
    afterAll(async () => {
      await ground[Symbol.asyncDispose]();
    });

    /** As another process has one. */
    function newRunner(): PodStepRunner {
      const { kubeconfig, namespace } = ground;
      const cluster = openCluster({ kubeconfig, ...(namespace === undefined ? {} : { namespace }) });
      return createPodStepRunner({ cluster, settings: { security: "baseline" }, startTimeoutMs: 120_000 });
    }

    const run = `${process.pid}-${Date.now()}`;
    let steps = 0;
    function step(options: Partial<StepContext> = {}) {
      const texts: string[] = [];
      const context: StepContext = {
        buildId: run,
        signal: new AbortController().signal,
        effectKey: `${run}/${steps++}`,
        image: { resourceType: "mock", privileged: false },
        output: (chunk) => {
          texts.push(chunk);
          return Promise.resolve();
        },
        ...options,
      };
      return { context, log: () => texts.join("") };
    }

    test("a check gives the resource's versions, and what it logs", async () => {
      const { context, log } = step();
      const versions = await runner.check(mockCheck({ initial_version: "1.0", log: "looking — ünï" }), context);
      expect(versions).toEqual([{ version: "1.0" }]);
      expect(log()).toContain("looking — ünï");
    });

    test("what the container runtime runs is told", async () => {
      const ran: string[] = [];
      const tell = (imageID: string): Promise<void> => {
        ran.push(imageID);
        return Promise.resolve();
      };
      await runner.check(mockCheck({ initial_version: "1" }), step({ ran: tell }).context);
      expect(ran).toEqual([expect.stringContaining("sha256:")]);
    });

    test("a check that fails is told with its status and its words", async () => {
      const failed = runner.check(mockCheck({ check_failure: "out of luck" }), step().context);
      await expect(failed).rejects.toMatchObject({ code: "FI_STEP_FAILED", details: { step: "my-mock" } });
    });

    test("a step that is asked for twice is one pod", async () => {
      const { context } = step();
      const plan = mockCheck({ initial_version: "1", check_delay: "1s" });
      const both = await Promise.allSettled([runner.check(plan, context), newRunner().check(plan, context)]);
      // The pod goes with whoever is done first: the other has its answer, or is told that it is gone.
      const answered = both.filter(({ status }) => status === "fulfilled");
      expect(answered.length).toBeGreaterThanOrEqual(1);
      const errors = both.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
      expect(errors.every((error) => FetchImageError.is(error))).toBe(true);
    });

    test("a step that is called off ends at once", async () => {
      const abort = new AbortController();
      const { context } = step({ signal: abort.signal });
      const work = runner.check(mockCheck({ initial_version: "1", check_delay: "60s" }), context);
      work.catch(() => {});
      await sleep(500);
      abort.abort();
      await expect(work).rejects.toMatchObject({ code: "FI_ABORTED" });
    });

    test("an image that no registry has is told with the registry's words", async () => {
      const imageURL = "docker:///registry.invalid/no/such:image";
      const failed = runner.check(mockCheck({}), step({ image: { imageURL, privileged: false } }).context);
      await expect(failed).rejects.toMatchObject({
        code: "FI_IMAGE_PULL_FAILED",
        message: expect.stringContaining("registry.invalid/no/such:image"),
      });
    });
  });
}

function mockCheck(source: JsonObject): CheckPlan {
  return { id: "2/image-check", check: { name: "my-mock", type: "mock", source } };
}
