// The same suite against the stub and, where KUBECONFIG names one, a real cluster: `pnpm test:kube`.
import { runnerContract } from "../support/kube-api/runner-contract.ts";
import { startStepGround } from "../support/kube-api/step-ground.ts";

/** Does what Concourse's `mock` resource does with these fields of a source. */
const mockScript = `exec node -e '
  const { source } = JSON.parse(require("fs").readFileSync(0, "utf8"));
  if (source.log) process.stderr.write(source.log + "\\\\n");
  if (source.check_failure) { process.stderr.write(source.check_failure + "\\\\n"); process.exit(1); }
  const answer = () => console.log(JSON.stringify([{ version: source.initial_version ?? "mock" }]));
  setTimeout(answer, parseFloat(source.check_delay ?? "0") * 1000);
'`;

runnerContract("the step runner, on the stub", async () => {
  const ground = await startStepGround();
  ground.script("check", mockScript);
  const { server } = ground;
  const { fateOf } = server.kubelet;
  server.kubelet.fateOf = (pod) =>
    JSON.stringify(pod["spec"]).includes("registry.invalid")
      ? { unpullable: { reason: "ErrImagePull", message: "dial tcp: lookup registry.invalid: no such host" } }
      : fateOf(pod);
  return { kubeconfig: server.kubeconfig, [Symbol.asyncDispose]: () => ground[Symbol.asyncDispose]() };
});

const { KUBECONFIG: kubeconfig = "", FETCH_IMAGE_TEST_NAMESPACE: namespace } = process.env;
const missing = kubeconfig === "" ? "KUBECONFIG names no cluster" : undefined;
runnerContract(
  "the step runner, on a real cluster",
  () =>
    Promise.resolve({
      kubeconfig,
      ...(namespace === undefined ? {} : { namespace }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
  missing,
);
