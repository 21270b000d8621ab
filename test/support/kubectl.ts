import { execFile, spawnSync } from "node:child_process";
import { devNull, tmpdir } from "node:os";

/** Says why nothing can be asked of kubectl, or undefined where it can. */
export function kubectlMissing(): string | undefined {
  const { status } = spawnSync("kubectl", ["version", "--client"], { stdio: "ignore" });
  return status === 0 ? undefined : "kubectl is not installed (apt-get install kubernetes-client)";
}

/** Its words on a pod of this image, in the end that there is no cluster. */
export function kubectlSays(image: string): Promise<string> {
  const args = ["run", "x", `--image=${image}`, "--dry-run=client", "--server=http://127.0.0.1:1"];
  const env = { PATH: process.env["PATH"], HOME: tmpdir(), KUBECONFIG: devNull };
  return new Promise((resolve) => {
    execFile("kubectl", args, { env }, (_, stdout, stderr) => resolve(`${stdout}${stderr}`));
  });
}
