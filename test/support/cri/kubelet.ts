// What a kubelet does with a pod's image and pull secrets before it asks the runtime. Written from Kubernetes' own rules
// (pkg/credentialprovider: keyring.go, config.go), apart from what is under test.
import type { AuthConfig } from "./cri-client.ts";
import type { Containerd } from "./containerd.ts";

export interface PullSecret {
  readonly type?: string;
  readonly data?: { readonly [key: string]: string };
}

/** As the kubelet tells it in a pod's status and events. */
class ErrImagePull extends Error {
  override readonly name = "ErrImagePull";
}

/** Pulls with each login that fits until one works, the most specific first. Gives how many were tried. */
export async function pullAsKubelet(
  containerd: Containerd,
  { image, secrets }: { readonly image: string; readonly secrets: readonly PullSecret[] },
): Promise<{ readonly imageRef: string; readonly tries: number }> {
  const logins = loginsFor(image, secrets);
  const refusals: string[] = [];
  for (const login of logins.length === 0 ? [undefined] : logins) {
    try {
      return { imageRef: await containerd.pull(image, login), tries: refusals.length + 1 };
    } catch (error) {
      refusals.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new ErrImagePull(refusals.join("; "));
}

interface Entry {
  readonly key: string;
  readonly login: AuthConfig;
}

/** The logins of the secrets whose key fits the image, in the order in which the kubelet tries them. */
export function loginsFor(image: string, secrets: readonly PullSecret[]): readonly AuthConfig[] {
  const entries = secrets.flatMap(entriesOf);
  // A stable sort, the keys backwards: with one host the longer path comes first.
  const sorted = entries.toSorted((a, b) => (a.key === b.key ? 0 : a.key < b.key ? 1 : -1));
  const repository = image.replace(/@.*$/, "").replace(/:[^:/]*$/, "");
  const matching = sorted.filter(({ key }) => fits(key, repository));
  if (matching.length > 0) return matching.map(({ login }) => login);
  return isDockerHub(repository) ? sorted.filter(({ key }) => key === "index.docker.io").map(({ login }) => login) : [];
}

interface DockerConfigEntry {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
}

function entriesOf({ type, data = {} }: PullSecret): readonly Entry[] {
  const decoded = (key: string): object => JSON.parse(Buffer.from(data[key] ?? "", "base64").toString("utf8"));
  if (type === "kubernetes.io/dockerconfigjson") {
    const { auths = {} } = decoded(".dockerconfigjson") as { auths?: { [key: string]: DockerConfigEntry } };
    return entriesIn(auths);
  }
  return type === "kubernetes.io/dockercfg"
    ? entriesIn(decoded(".dockercfg") as { [key: string]: DockerConfigEntry })
    : [];
}

function entriesIn(auths: { readonly [key: string]: DockerConfigEntry }): readonly Entry[] {
  return Object.entries(auths).map(([written, { username, password, auth }]) => {
    const key = written
      .replace(/^https?:\/\//, "")
      .replace(/^([^/]+)\/v[12](?:\/|$)/, "$1/")
      .replace(/\/$/, "");
    if (auth === undefined) return { key, login: { ...(username && { username }), ...(password && { password }) } };
    const pair = Buffer.from(auth, "base64").toString("utf8");
    const colon = pair.indexOf(":");
    return { key, login: { username: pair.slice(0, colon), password: pair.slice(colon + 1) } };
  });
}

/** A glob for each label of the host, the same port, and a path that begins so. */
function fits(key: string, repository: string): boolean {
  const [wanted, given] = [placeOf(key), placeOf(repository)];
  const [globs, labels] = [wanted.host.split("."), given.host.split(".")];
  return (
    wanted.port === given.port &&
    globs.length === labels.length &&
    globs.every((glob, at) => globExpression(glob).test(labels[at] ?? "")) &&
    given.path.startsWith(wanted.path)
  );
}

function placeOf(text: string): { readonly host: string; readonly port: string; readonly path: string } {
  const [, host = "", port = "", path = ""] = /^([^/:]*)(?::(\d+))?(\/.*)?$/.exec(text) ?? [];
  return { host, port, path };
}

function globExpression(glob: string): RegExp {
  const escaped = glob
    .replace(/[\\^$+.()|{}]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${escaped}$`);
}

function isDockerHub(repository: string): boolean {
  const [first = "", ...rest] = repository.split("/");
  const hasDomain = rest.length > 0 && (first.includes(".") || first.includes(":") || first === "localhost");
  return !hasDomain || first === "docker.io" || first === "index.docker.io";
}
