// Facts that a page could stumble over: hostile ones, and very many.
import { aRequest, inputs, startOfTests } from "../../support/fetch-facts.ts";
import { BuildHistory } from "../../support/stream-histories.ts";

export const markup = `<img src=x onerror="window.owned=1"><script>window.owned=1</script>`;

/** Every string that comes from outside is markup, or what a terminal would obey. */
export function hostileBuild(): BuildHistory {
  const build = new BuildHistory("666");
  build.save({ event: "status", data: { status: "started" } });
  build.request(
    aRequest({
      fetchId: "1/image-get",
      name: markup,
      tag: markup,
      repository: `registry.test/${markup}`,
      source: { tag: markup },
    }),
  );
  const payload = `${markup}\n\u001b[2J\u202egnp.exe\n`;
  build.save({ event: "log", data: { origin: { id: "1", source: "stdout" }, payload } });
  const written = { fetchId: "1/image-get", planId: "1/image-get", origin: "stderr" as const, text: `${markup}\n` };
  build.append({ type: "OutputWritten", data: written }, "output\n1");
  build.wait(5).take(inputs.checkFailed({ code: markup, message: markup, hint: markup, retryable: false }));
  return build;
}

/** A build of many steps, one after the other, and a log of many lines. */
export function longBuild(given: { readonly steps: number; readonly lines: number }): BuildHistory {
  const build = new BuildHistory("777");
  build.save({ event: "status", data: { status: "started" } });
  const perStep = Math.ceil(given.lines / given.steps);
  for (let step = 1; step <= given.steps; step++) {
    const id = String(step);
    const fetchId = `${id}/image-get`;
    build.wait(10).request(aRequest({ fetchId, tag: `v${step}` }));
    build
      .wait(10)
      .take(inputs.checked({ tag: `v${step}`, digest: `sha256:${String(step).padStart(64, "0")}` }), fetchId);
    // A fact for each line, as a step writes that waits between them.
    for (let line = 1; line <= perStep; line++) {
      const payload = `step ${step}, line ${line} of ${perStep}\n`;
      build.wait(1).save({ event: "log", data: { origin: { id, source: "stdout" }, payload } });
    }
  }
  build.save({ event: "status", data: { status: "succeeded" } });
  return build;
}

/** Builds whose fetches are all in flight. */
export function manyBuilds(given: { readonly builds: number; readonly fetches: number }): readonly BuildHistory[] {
  return Array.from({ length: given.builds }, (_, index) => {
    const build = new BuildHistory(`many-${index + 1}`);
    build.now = startOfTests + index * 1000;
    for (let fetch = 1; fetch <= given.fetches; fetch++) {
      const tag = `v${index % 7}`;
      build.wait(1).request(aRequest({ fetchId: `${fetch}/image-get`, repository: `registry.test/app-${fetch}`, tag }));
    }
    return build;
  });
}
