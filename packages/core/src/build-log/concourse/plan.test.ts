import { expect, test } from "vitest";
import { concoursePlan, imagePlansOf } from "./plan.ts";
import { goJson } from "./go-json.ts";

const get = {
  id: "1/image-get",
  get: { name: "pull-request", type: "registry-image", version: { tag: "v1", digest: "d" } },
};

test("a plan is public, its fields in Concourse's order", () => {
  const plan = {
    do: [
      {
        get: {
          source: { password: "secret" },
          version: { pr: "17", commit: "6f1c2ab" },
          resource: "pr",
          image_check_plan: {
            check: { type: "registry-image", name: "pull-request", interval: "1m" },
            id: "1/image-check",
          },
          image_get_plan: get,
          type: "pull-request",
          name: "pr",
        },
        id: "1",
      },
      { task: { hermetic: false, privileged: true, name: "unit", config: { params: { TOKEN: "secret" } } }, id: "2" },
    ],
    id: "3",
  };
  expect(goJson(concoursePlan(plan))).toBe(
    '{"id":"3","do":[{"id":"1","get":{"name":"pr","type":"pull-request","resource":"pr","version":{"commit":"6f1c2ab","pr":"17"},' +
      '"image_get_plan":{"id":"1/image-get","get":{"name":"pull-request","type":"registry-image","version":{"digest":"d","tag":"v1"}}},' +
      '"image_check_plan":{"id":"1/image-check","check":{"name":"pull-request","type":"registry-image"}}}},' +
      '{"id":"2","task":{"name":"unit","privileged":true,"hermetic":false}}]}',
  );
});

test("a pinned type's image has both its plans, since the page would show neither", () => {
  const images = imagePlansOf(
    concoursePlan({ id: "1", put: { name: "pr", type: "pull-request", image_get_plan: get } }),
  );
  expect(images?.check).toEqual({ id: "1/image-check", check: { name: "pull-request", type: "registry-image" } });
  expect(images?.get["id"]).toBe("1/image-get");
});

test("every kind of plan keeps the steps within it", () => {
  const step = { id: "1", task: { name: "unit", privileged: false, hermetic: false } };
  const hook = { id: "2", load_var: { name: "tag", file: "secret" } };
  const within = [
    { in_parallel: { steps: [step, hook], limit: 2, fail_fast: true } },
    { retry: [step, hook] },
    { try: { step } },
    { timeout: { step, duration: "1m" } },
    ...["on_success", "on_failure", "on_abort", "on_error", "ensure"].map((kind) => ({
      [kind]: { step, [kind]: hook },
    })),
    { across: { vars: [{ var: "x", name: "os", values: ["secret"] }], fail_fast: true } },
    { set_pipeline: { name: "child", team: "main", vars: { token: "secret" } } },
  ];
  const shown = within.map((plan) => goJson(concoursePlan({ id: "0", ...plan })));
  expect(shown.join("\n")).toMatchInlineSnapshot(`
    "{"id":"0","in_parallel":{"steps":[{"id":"1","task":{"name":"unit","privileged":false,"hermetic":false}},{"id":"2","load_var":{"name":"tag"}}],"limit":2,"fail_fast":true}}
    {"id":"0","retry":[{"id":"1","task":{"name":"unit","privileged":false,"hermetic":false}},{"id":"2","load_var":{"name":"tag"}}]}
    {"id":"0","try":{"step":{"id":"1","task":{"name":"unit","privileged":false,"hermetic":false}}}}
    {"id":"0","timeout":{"step":{"id":"1","task":{"name":"unit","privileged":false,"hermetic":false}},"duration":"1m"}}
    {"id":"0","on_success":{"step":{"id":"1","task":{"name":"unit","privileged":false,"hermetic":false}},"on_success":{"id":"2","load_var":{"name":"tag"}}}}
    {"id":"0","on_failure":{"step":{"id":"1","task":{"name":"unit","privileged":false,"hermetic":false}},"on_failure":{"id":"2","load_var":{"name":"tag"}}}}
    {"id":"0","on_abort":{"step":{"id":"1","task":{"name":"unit","privileged":false,"hermetic":false}},"on_abort":{"id":"2","load_var":{"name":"tag"}}}}
    {"id":"0","on_error":{"step":{"id":"1","task":{"name":"unit","privileged":false,"hermetic":false}},"on_error":{"id":"2","load_var":{"name":"tag"}}}}
    {"id":"0","ensure":{"step":{"id":"1","task":{"name":"unit","privileged":false,"hermetic":false}},"ensure":{"id":"2","load_var":{"name":"tag"}}}}
    {"id":"0","across":{"vars":[{"name":"os"}],"fail_fast":true}}
    {"id":"0","set_pipeline":{"name":"child","team":"main"}}"
  `);
  expect(shown.join("\n")).not.toContain("secret");
});
