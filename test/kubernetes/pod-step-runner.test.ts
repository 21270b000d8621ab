import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { FetchImageError, type Logger, type PullCredentials, silentLogger } from "@fetch-image/core";
import { openCluster } from "@fetch-image/kubernetes/client";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startRelay } from "../support/kube-api/relay.ts";
import { checkPlan, exampleRole, getPlan, type StepGround, startStepGround } from "../support/kube-api/step-ground.ts";

let ground: StepGround;
beforeAll(async () => {
  ground = await startStepGround();
});
afterAll(async () => {
  await ground[Symbol.asyncDispose]();
});
const asked = new Set<string>();
beforeEach(async () => {
  for (const { verb, resource } of ground.server.asked) asked.add(`${verb} ${resource}`);
  ground.reset();
  await noPodIsLeft();
});

const source = { uri: "https://example.com/x.git" };
const answers = `cat > /dev/null; echo '[{"ref":"a"}]'`;

/** Every pod of the steps so far goes: one that was called off when its script has. */
async function noPodIsLeft(): Promise<void> {
  await until(() => ground.server.objects.list("pods").length === 0);
}

async function failureOf(work: Promise<unknown>): Promise<FetchImageError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!FetchImageError.is(error)) throw new Error(`no FetchImageError: ${String(error)}`);
  return error;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5);
}

describe("a step on a pod", () => {
  test("a check gives the script its source and gives back its versions; what it says goes to the log", async () => {
    ground.script("check", `cat >&2; echo '[{"ref":"a"},{"ref":"b"}]'`);
    const { versions, log } = await ground.check({ uri: "https://example.com/x.git", note: 'ümlaut "quoted"\n' });
    expect(versions).toEqual([{ ref: "a" }, { ref: "b" }]);
    expect(JSON.parse(log)).toEqual({
      source: { uri: "https://example.com/x.git", note: 'ümlaut "quoted"\n' },
      version: null,
    });
    await noPodIsLeft();
  });

  test("a check is told the version to go on from", async () => {
    ground.script("check", `cat >&2; echo '[]'`);
    const { context, log } = ground.step();
    const plan = { ...checkPlan(source), check: { ...checkPlan(source).check, from_version: { ref: "a" } } };
    expect(await ground.runner().check(plan, context)).toEqual([]);
    expect(JSON.parse(log())).toMatchObject({ version: { ref: "a" } });
  });

  test("a get leaves its files in a directory of the claim, and knows its build", async () => {
    ground.script(
      "in",
      `cat > "$1/request"; echo "$BUILD_TEAM_NAME $BUILD_ID" > "$1/build"; echo '{"version":{"ref":"a"}}'`,
    );
    const { context } = ground.step({ team: "main" });
    const { handle } = await ground.runner({ claimName: "gets" }).get(getPlan(source, { ref: "a" }), context);
    const file = (name: string) => readFileSync(`${ground.server.kubelet.claim("gets", handle)}/${name}`, "utf8");
    expect(JSON.parse(file("request"))).toEqual({ source, params: {}, version: { ref: "a" } });
    expect(file("build")).toBe("main 7\n");
    await noPodIsLeft();
  });

  test("a put sees the files of an earlier get, and gives its version and metadata", async () => {
    ground.script("in", `cat > /dev/null; echo files > "$1/file"; echo '{"version":{"ref":"a"}}'`);
    ground.script(
      "out",
      `cat >&2; cat "$1/repo/file" >&2; echo '{"version":{"ref":"b"},"metadata":[{"name":"n","value":"v"}]}'`,
    );
    const runner = ground.runner({ claimName: "gets" });
    const { handle } = await runner.get(getPlan(source, { ref: "a" }), ground.step().context);
    const { context, log } = ground.step();
    const plan = { id: "3", put: { name: "repo", type: "git", source, params: { force: true } } };
    expect(await runner.put(plan, context, { inputs: { repo: handle } })).toEqual({
      version: { ref: "b" },
      metadata: [{ name: "n", value: "v" }],
    });
    expect(log()).toBe(`${JSON.stringify({ source, params: { force: true } })}files\n`);
  });

  test("a get without a claim says what is missing, before anything is asked", async () => {
    const error = await failureOf(ground.runner().get(getPlan(source, { ref: "a" }), ground.step().context));
    expect(error).toMatchObject({ code: "FI_ARTIFACT_STORE_MISSING" });
    expect(error.message).toContain("my-type");
    expect(ground.server.asked).toEqual([]);
  });

  test("a source never stands in the pod, and the request is not left behind once the script reads it", async () => {
    ground.script("check", `cat > /dev/null; ls -A /fetch-image >&2; echo '[]'`);
    let pod = "";
    const { fateOf } = ground.server.kubelet;
    ground.server.kubelet.fateOf = (made) => {
      pod = JSON.stringify(made);
      return fateOf(made);
    };
    await ground.check({ password: "hunter2" });
    expect(pod).toContain("/opt/resource/check");
    expect(pod).not.toContain("hunter2");
  });

  test("what the container runtime runs is told, once the container runs", async () => {
    ground.script("check", answers);
    const { fateOf } = ground.server.kubelet;
    ground.server.kubelet.fateOf = (pod) => ({ ...fateOf(pod), imageID: "registry.test/acme/git@sha256:ran" });
    const ran: string[] = [];
    await ground.check(source, {
      ran: (imageID) => {
        ran.push(imageID);
        return Promise.resolve();
      },
    });
    expect(ran).toEqual(["registry.test/acme/git@sha256:ran"]);
  });
});

describe("a script that fails", () => {
  test("is told with its status and its last words, credentials cut", async () => {
    ground.script("check", `cat > /dev/null; echo "cannot log in with hunter2" >&2; exit 3`);
    const error = await failureOf(ground.check({ password: "hunter2" }));
    expect(error).toMatchObject({ code: "FI_STEP_FAILED", retryable: false, details: { status: 3, step: "my-type" } });
    expect(error.message).toBe("the check of my-type ended with status 3: cannot log in with ((redacted))");
    await noPodIsLeft();
  });

  test.each([
    ["no JSON", "echo nope", /was to print JSON, and printed "nope"/],
    ["nothing", "true", /printed nothing/],
    ["versions that are none", `echo '[{"ref":1}]'`, /a list of versions/],
    ["more than the bound", "head -c 5000 /dev/zero", /answered 5000 bytes, and 1000 are the most/],
  ])("is told what it printed: %s", async (_, script, words) => {
    ground.script("check", `cat > /dev/null; ${script}`);
    const work = ground.runner({ answerLimit: 1000 }).check(checkPlan(source), ground.step().context);
    const error = await failureOf(work);
    expect(error.code).toBe("FI_STEP_ANSWER_INVALID");
    expect(error.message).toMatch(words);
  });
});

describe("the login of a type's own source", () => {
  const logins = (password: string): PullCredentials => ({
    pullCredentials: () => Promise.resolve([{ registry: "registry.test", username: "ci", password }]),
  });
  const typeSource = { repository: "registry.test/acme/git" };
  const getType = { id: "2/image-check/image-get", get: { name: "git", type: "registry-image", source: typeSource } };
  const plan = { id: "2/image-check", check: { ...checkPlan(source).check, image_get_plan: getType } };
  const waiting = `cat > /dev/null; echo ready >&2; until [ -e "$0.go" ]; do sleep 0.05; done; echo '[]'`;
  const secrets = () => ground.server.objects.list("secrets");
  const loginIn = (secret: PodObject | undefined) => {
    const data = secret?.["data"] as { readonly ".dockerconfigjson": string } | undefined;
    return Buffer.from(data?.[".dockerconfigjson"] ?? "", "base64").toString();
  };

  test("is in a Secret before the pod, which names it first and owns it; it goes with the pod", async () => {
    ground.script("check", waiting);
    const { context, log } = ground.step();
    const runner = ground.runner({ credentials: logins("hunter2"), pullSecrets: ["shared"] });
    const work = runner.check(plan, context);
    await until(() => log() === "ready\n");
    const [secret] = secrets();
    const [pod] = ground.server.objects.list("pods");
    expect(loginIn(secret)).toContain("hunter2");
    expect(secret?.metadata.ownerReferences?.map(({ uid }) => uid)).toEqual([pod?.metadata.uid]);
    expect(pod?.["spec"]).toMatchObject({ imagePullSecrets: [{ name: secret?.metadata.name }, { name: "shared" }] });
    const written = ground.server.asked.filter(({ verb }) => verb === "patch" || verb === "create");
    expect(written.map(({ resource }) => resource).slice(0, 4)).toEqual(["secrets", "secrets", "pods", "secrets"]);
    ground.writeBeside("check.go", "");
    await work;
    await until(() => secrets().length === 0);
    ground.removeBeside("check.go");
  });

  test("is rotated under the same name, and stays while any of the build's pods has it", async () => {
    ground.script("check", waiting);
    const works: Promise<unknown>[] = [];
    for (const password of ["old-password", "new-password"]) {
      const { context, log } = ground.step();
      works.push(ground.runner({ credentials: logins(password) }).check(plan, context));
      await until(() => log() === "ready\n");
    }
    expect(secrets().map(loginIn)).toEqual([expect.stringContaining("new-password")]);
    expect(secrets()[0]?.metadata.ownerReferences).toHaveLength(2);
    ground.writeBeside("check.go", "");
    await Promise.all(works);
    await until(() => secrets().length === 0);
    ground.removeBeside("check.go");
  });

  test("that the cluster refuses is told without a secret, and no pod is made", async () => {
    ground.server.faults.push({ verb: "patch", resource: "secrets", status: 403, message: "secrets is forbidden" });
    const work = ground.runner({ credentials: logins("hunter2") }).check(plan, ground.step().context);
    const error = await failureOf(work);
    expect(error.code).toBe("FI_KUBERNETES_REFUSED");
    expect(`${error.message}${JSON.stringify(error)}`).not.toContain("hunter2");
    expect(ground.server.kubelet.started).toEqual([]);
  });

  test("for another registry than the one that is pulled from is given to nobody, and a warning says so", async () => {
    ground.script("check", answers);
    const warned: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (text) => warned.push(text) };
    const credentials: PullCredentials = {
      pullCredentials: () => Promise.resolve([{ registry: "other.test", username: "no:login", password: "hunter2" }]),
    };
    await ground.runner({ credentials, logger }).check(plan, ground.step().context);
    expect(ground.server.asked.filter(({ resource }) => resource === "secrets")).toEqual([]);
    expect(warned).toEqual([expect.stringMatching(/^no pull secret fits registry\.test\/.* has other\.test$/)]);
  });
});

describe("connections that break", () => {
  const lines = (count: number) => Array.from({ length: count }, (_, line) => `line ${line} — ünï\n`).join("");
  const printing = (count: number) =>
    `cat > /dev/null; i=0; while [ $i -lt ${count} ]; do echo "line $i — ünï"; i=$((i+1)); done >&2; echo '[{"ref":"a"}]'`;

  test("lose no byte of what a step prints and repeat none, wherever they break", async () => {
    ground.script("check", printing(2000));
    // The first is the delivery of the request.
    ground.server.execs.resets.push(Infinity, 1, 1000, 4001, 0, 7, 12_345);
    const { versions, log } = await ground.check(source);
    expect(log).toBe(lines(2000));
    expect(versions).toEqual([{ ref: "a" }]);
  });

  test("give the script its request whole and once", async () => {
    ground.script("check", `cat | wc -c >&2; echo '[]'`);
    ground.server.execs.resets.push(10, 50_000, 199_999);
    const big = { text: "x".repeat(200_000) };
    const { log } = await ground.check(big);
    expect(Number(log)).toBe(JSON.stringify({ source: big, version: null }).length);
    expect(ground.server.kubelet.started).toHaveLength(1);
  });

  test("are bounded in memory: more than a megabyte comes in pieces, whole", async () => {
    ground.script("check", `cat > /dev/null; head -c 3000000 /dev/zero | tr '\\0' 'x' >&2; echo '[]'`);
    const { log } = await ground.check(source);
    expect(log.length).toBe(3_000_000);
    // One for the request, and four for 3 MB of output and the answer.
    expect(ground.server.asked.filter(({ resource }) => resource === "pods/exec").length).toBeGreaterThanOrEqual(8);
  });

  test("end at last in an error, where none brings anything", async () => {
    ground.script("check", answers);
    ground.server.execs.resets.push(...Array<number>(20).fill(0));
    expect(await failureOf(ground.check(source))).toMatchObject({ code: "FI_KUBERNETES_UNAVAILABLE", retryable: true });
    await noPodIsLeft();
  });

  test("of servers that know the protocol's version 4 alone work the same", async () => {
    ground.script("check", `cat >&2; echo '[]'`);
    ground.server.execs.protocols = ["v4.channel.k8s.io"];
    const { log } = await ground.check(source);
    expect(JSON.parse(log)).toEqual({ source, version: null });
  });

  test("may be slow", async () => {
    ground.script("check", answers);
    ground.server.execs.slowMs = 150;
    expect((await ground.check(source)).versions).toEqual([{ ref: "a" }]);
  });
});

describe("an API server that misbehaves", () => {
  test.each([
    ["is busy, and says when to come back", { status: 429, retryAfter: 1 }],
    ["has an internal error", { status: 500 }],
    ["is overloaded", { status: 503 }],
  ])("%s: it is asked again", async (_, fault) => {
    ground.script("check", answers);
    for (const [verb, resource] of [
      ["create", "pods"],
      ["list", "pods"],
      ["create", "pods/exec"],
      ["delete", "pods"],
    ] as const) {
      ground.server.faults.push({ verb, resource, ...fault });
    }
    expect((await ground.check(source)).versions).toEqual([{ ref: "a" }]);
    await noPodIsLeft();
    expect(ground.server.faults).toEqual([]);
  });

  test("breaks the connection before it answers: the pod that it made is taken up", async () => {
    ground.script("check", answers);
    ground.server.faults.push({ verb: "create", resource: "pods" });
    expect((await ground.check(source)).versions).toEqual([{ ref: "a" }]);
    expect(ground.server.kubelet.started).toHaveLength(1);
  });

  test("never recovers: the error says what was to be done, and the attempts are bounded", async () => {
    for (let count = 0; count < 20; count++)
      ground.server.faults.push({ verb: "create", resource: "pods", status: 500 });
    const error = await failureOf(ground.check(source));
    expect(error).toMatchObject({ code: "FI_KUBERNETES_UNAVAILABLE", retryable: true });
    expect(error.message).toMatch(/cannot create pod .* in 6 attempts/);
    expect(ground.server.asked.filter(({ verb }) => verb === "create")).toHaveLength(6);
  });

  test("refuses: nothing is asked again, and the hint leads to the role", async () => {
    ground.server.faults.push({ verb: "create", resource: "pods", status: 403, message: "pods is forbidden" });
    const error = await failureOf(ground.check(source));
    expect(error).toMatchObject({ code: "FI_KUBERNETES_REFUSED", retryable: false, details: { status: 403 } });
    expect(error.message).toContain("pods is forbidden");
    expect(error.hint).toContain("docs/guides/kubernetes.md");
  });

  test.each([
    ["cuts watches in the middle of an event", () => ground.server.watches.cut()],
    ["closes watches", () => ground.server.watches.close()],
    ["forgets what happened: 410 Gone", () => ground.server.watches.expire()],
  ])("%s: the pod's end is seen all the same", async (_, misbehave) => {
    ground.script("check", "sleep 60");
    const work = failureOf(ground.check(source));
    await until(() => ground.server.watches.open === 1 && ground.server.kubelet.started.length === 1);
    const { begun } = ground.server.watches;
    misbehave();
    const [pod] = ground.server.objects.list("pods");
    if (pod === undefined) throw new Error("there is no pod");
    // While nobody watches.
    ground.server.kubelet.evict(pod, "the node was low on memory");
    const error = await work;
    expect(error).toMatchObject({ code: "FI_STEP_POD_LOST", retryable: true });
    expect(error.message).toContain("Evicted: the node was low on memory");
    expect(ground.server.watches.begun).toBeGreaterThanOrEqual(begun);
  });

  test("answers a watch from a version that it has forgotten with 410: the list is taken anew", async () => {
    ground.script("check", answers);
    const { fateOf } = ground.server.kubelet;
    ground.server.kubelet.fateOf = (pod) => {
      ground.server.objects.forget();
      return fateOf(pod);
    };
    expect((await ground.check(source)).versions).toEqual([{ ref: "a" }]);
  });

  test("sends events twice, and old ones after new: the pod does not go back", async () => {
    ground.script("check", answers);
    ground.server.watches.scrambled = true;
    expect((await ground.check(source)).versions).toEqual([{ ref: "a" }]);
    expect(ground.server.kubelet.started).toHaveLength(1);
  });
});

describe("an image that cannot be pulled", () => {
  const image = `registry.test/acme/git:v1@sha256:${"a".repeat(64)}`;
  const unauthorized = `failed to pull and unpack image "${image}": failed to authorize: 401 Unauthorized`;
  test.each([
    ["ErrImagePull", `rpc error: code = Unknown desc = ${unauthorized}`, unauthorized, false],
    [
      "ImagePullBackOff",
      `Back-off pulling image "${image}": ErrImagePull: manifest unknown`,
      "manifest unknown",
      false,
    ],
    ["InvalidImageName", "couldn't parse image name", "couldn't parse image name", false],
    ["ErrImagePull", "pull QPS exceeded", "pull QPS exceeded", true],
    ["ErrImagePull", "unexpected status: 503 Service Unavailable", "503 Service Unavailable", true],
    ["ErrImagePull", "toomanyrequests: You have reached your pull rate limit", "toomanyrequests", true],
  ])("%s (%s): the error has the registry's words, at once", async (reason, message, words, retryable) => {
    ground.server.kubelet.fateOf = () => ({ unpullable: { reason, message } });
    const error = await failureOf(ground.check(source));
    expect(error).toMatchObject({ code: "FI_IMAGE_PULL_FAILED", retryable, details: { image, reason } });
    expect(error.message).toContain(words);
    await noPodIsLeft();
  });

  test("of which the kubelet says only that it backs off: the words come from the pod's events", async () => {
    const message = `Back-off pulling image "${image}"`;
    const event = `Failed to pull image "${image}": rpc error: code = NotFound desc = ${image}: not found`;
    ground.server.kubelet.fateOf = () => ({ unpullable: { reason: "ImagePullBackOff", message, event } });
    const error = await failureOf(ground.check(source));
    expect(error.message).toMatch(/ImagePullBackOff: registry\.test.*: not found$/);
    expect(error.retryable).toBe(false);
  });
});

describe("a pod that does not get as far", () => {
  test("is given up after the time that is stated, with the scheduler's words", async () => {
    ground.server.kubelet.fateOf = () => ({ unschedulable: "0/3 nodes are available: 3 Insufficient cpu." });
    const work = ground.runner({ startTimeoutMs: 100 }).check(checkPlan(source), ground.step().context);
    const error = await failureOf(work);
    expect(error).toMatchObject({ code: "FI_STEP_POD_UNSTARTED", retryable: true });
    expect(error.message).toContain("Unschedulable: 0/3 nodes are available");
    await noPodIsLeft();
  });

  test("since its image has no shell, is told so", async () => {
    const message = 'exec: "sh": executable file not found in $PATH: unknown';
    ground.server.kubelet.fateOf = () => ({ unstartable: { reason: "StartError", message } });
    const error = await failureOf(ground.check(source));
    expect(error).toMatchObject({ code: "FI_STEP_POD_UNSTARTED", retryable: false });
    expect(error.hint).toContain("shell");
  });

  test.each([
    ["deleted", "it was deleted", (pod: PodObject) => ground.server.objects.delete("pods", pod)],
    [
      "lost with its node",
      "NodeLost",
      (pod: PodObject) =>
        ground.server.objects.update("pods", pod, (copy) => {
          copy["status"] = { ...(copy["status"] as object), reason: "NodeLost", message: "Node kind-worker is gone" };
        }),
    ],
    [
      "taken away by the cluster",
      "TaintEviction",
      (pod: PodObject) =>
        ground.server.objects.update("pods", pod, (copy) => {
          copy.metadata.deletionTimestamp = new Date().toISOString();
          copy.metadata.deletionGracePeriodSeconds = 30;
          const conditions = [{ type: "DisruptionTarget", status: "True", reason: "TaintEviction", message: "node" }];
          copy["status"] = { ...(copy["status"] as object), conditions };
        }),
    ],
  ] as const)("since it is %s while its script runs, is told so", async (_, words, remove) => {
    ground.script("check", "sleep 60");
    const work = failureOf(ground.check(source));
    await until(() => ground.server.asked.filter(({ resource }) => resource === "pods/exec").length >= 4);
    const [pod] = ground.server.objects.list("pods");
    if (pod === undefined) throw new Error("there is no pod");
    remove(pod);
    const error = await work;
    expect(error).toMatchObject({ code: "FI_STEP_POD_LOST", retryable: true });
    expect(error.message).toContain(words);
  });
});

test("a step that its pod's deadline ends took too long, and is not tried again", async () => {
  ground.script("check", "sleep 60");
  const { check } = checkPlan(source);
  const plan = { ...checkPlan(source), check: { ...check, timeout: "90m" } };
  const work = failureOf(ground.runner().check(plan, ground.step().context));
  await until(() => ground.server.kubelet.started.length === 1);
  const [pod] = ground.server.objects.list("pods");
  if (pod === undefined) throw new Error("there is no pod");
  ground.server.kubelet.endAtDeadline(pod);
  const error = await work;
  expect(error).toMatchObject({ code: "FI_STEP_TIMED_OUT", retryable: false });
  expect(error.message).toContain("its deadline of 5400 s");
});

type PodObject = ReturnType<typeof ground.server.objects.list>[number];

describe("a step that is called off", () => {
  test("takes its pod with it, and its script is told to end", async () => {
    ground.script(
      "check",
      `trap 'echo cleaned up > "$0.trapped"; exit 1' TERM; cat >/dev/null; echo ready >&2; sleep 60 & wait`,
    );
    const abort = new AbortController();
    const { context, log } = ground.step({ signal: abort.signal });
    const work = failureOf(ground.runner().check(checkPlan(source), context));
    await until(() => log() === "ready\n");
    abort.abort();
    expect(await work).toMatchObject({ code: "FI_ABORTED" });
    await until(() => ground.server.objects.list("pods").length === 0);
    expect(ground.readBeside("check.trapped")).toBe("cleaned up\n");
  });

  test("before it began asks nobody", async () => {
    const { context } = ground.step({ signal: AbortSignal.abort() });
    expect(await failureOf(ground.runner().check(checkPlan(source), context))).toMatchObject({ code: "FI_ABORTED" });
    expect(ground.server.asked).toEqual([]);
  });
});

describe("a scheduler that dies", () => {
  test.each([
    ["while the script runs", `cat > /dev/null; echo first >&2; until [ -e "$0.go" ]; do sleep 0.05; done`, false],
    ["when the script has ended, and nobody has heard of it", "cat > /dev/null; echo first >&2", true],
  ])("%s: the next finds the pod, starts no second one, and has the whole log", async (_, script, isOver) => {
    ground.script("check", `${script}; echo second >&2; echo '[{"ref":"a"}]'`);
    await using relay = await startRelay(ground.server.kubeconfig);
    const dead = ground.step();
    const cutOff = ground.runner({ cluster: openCluster({ kubeconfig: relay.kubeconfig }) });
    const work = failureOf(cutOff.check(checkPlan(source), dead.context));
    if (isOver) {
      // It hands the request over and hears no more.
      ground.server.execs.slowMs = 300;
      await until(() => ground.server.asked.filter(({ resource }) => resource === "pods/exec").length >= 2);
      await sleep(400);
    } else {
      await until(() => dead.log().includes("first"));
    }
    await relay.cut();
    expect((await work).code).toBe("FI_KUBERNETES_UNAVAILABLE");
    expect(ground.server.objects.list("pods")).toHaveLength(1);
    ground.server.execs.slowMs = 0;

    const { context, log } = ground.step({ effectKey: dead.context.effectKey });
    const again = ground.runner().check(checkPlan(source), context);
    if (!isOver) ground.writeBeside("check.go", "");
    expect(await again).toEqual([{ ref: "a" }]);
    expect(log()).toBe("first\nsecond\n");
    expect(ground.server.kubelet.started).toHaveLength(1);
    await noPodIsLeft();
  });

  test("leaves a pod that the cluster has ended: its step is lost, and may be tried again", async () => {
    ground.script("check", "sleep 60");
    await using relay = await startRelay(ground.server.kubeconfig);
    const dead = ground.step();
    const cutOff = ground.runner({ cluster: openCluster({ kubeconfig: relay.kubeconfig }) });
    const work = failureOf(cutOff.check(checkPlan(source), dead.context));
    await until(() => ground.server.kubelet.started.length === 1);
    await relay.cut();
    await work;
    const [pod] = ground.server.objects.list("pods");
    if (pod === undefined) throw new Error("there is no pod");
    ground.server.kubelet.evict(pod, "low on disk");
    const { context } = ground.step({ effectKey: dead.context.effectKey });
    expect(await failureOf(ground.runner().check(checkPlan(source), context))).toMatchObject({
      code: "FI_STEP_POD_LOST",
      retryable: true,
    });
    await noPodIsLeft();
  });

  test("two steps of one build are two pods", async () => {
    ground.script("check", answers);
    await Promise.all([ground.check(source), ground.check(source)]);
    expect(new Set(ground.server.kubelet.started).size).toBe(2);
  });
});

describe("the role in examples/kubernetes", () => {
  test("allows what all of these tests needed, and nothing else", () => {
    const allowed = exampleRole().flatMap(({ verbs, resources }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}`)),
    );
    expect([...asked].sort()).toEqual(allowed.sort());
  });
});
