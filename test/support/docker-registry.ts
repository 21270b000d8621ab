// Debian's docker-registry (CNCF distribution 2.8) on loopback, in the set-ups that people run it in.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type BuiltImage, buildImage, type ImageRecipe } from "@fetch-image/registry/embedded";
import { Agent, request } from "undici";
import { makeAuthority, makeRsaSigner, makeServerCertificate } from "./certificates.ts";
import { startTokenServer, type TokenServer } from "./token-server.ts";

export interface DockerRegistryOptions {
  /** Default: none. With `token` the repositories below `public/` are readable by everybody. */
  readonly auth?: "none" | "htpasswd" | "token";
  /** Serves https with a certificate of a private CA. */
  readonly tls?: boolean;
  /** Passwords by user name; default alice with `s3cret`. */
  readonly users?: { readonly [username: string]: string };
}

export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:43210` */
  readonly host: string;
  readonly origin: string;
  /** PEM of the private CA, where there is one. */
  readonly ca: string | undefined;
  /** Where the set-up has one. */
  readonly tokens: TokenServer | undefined;
  /** Pushes an image made from the recipe as `repository:tag`. */
  push(reference: string, recipe?: ImageRecipe): Promise<BuiltImage>;
  /** From now on these may log in, and nobody else. Only of a registry with `htpasswd`. */
  changeUsers(users: { readonly [username: string]: string }): void;
  /** Ends the server and deletes what it stored. */
  close(): Promise<void>;
}

/** Says why tests against docker-registry are skipped, or undefined when they can run. */
export function dockerRegistryMissing(auth: DockerRegistryOptions["auth"] = "none"): string | undefined {
  if (onPath("docker-registry") === undefined)
    return "docker-registry is not installed (apt-get install docker-registry)";
  if (auth === "htpasswd" && onPath("htpasswd") === undefined)
    return "htpasswd is not installed (apt-get install apache2-utils)";
  return undefined;
}

export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const { auth = "none", tls = false } = options;
  let { users = { alice: "s3cret" } } = options;
  const folder = mkdtempSync(join(tmpdir(), "fetch-image-registry-"));
  const authority = tls ? makeAuthority() : undefined;
  const signer = auth === "token" ? makeRsaSigner("token signer") : undefined;
  const tokens = signer && (await startTokenServer({ signer, users, publicPrefix: "public/" }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const server = authority && makeServerCertificate(authority, ["127.0.0.1", "localhost"]);
  const config = {
    version: "0.1",
    log: { level: "info", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, "data") }, delete: { enabled: true } },
    http: {
      // Any free port; the server's first lines say which.
      addr: "127.0.0.1:0",
      ...(server ? { tls: { certificate: file("tls.crt", server.cert), key: file("tls.key", server.key) } } : {}),
    },
    ...(auth === "htpasswd" ? { auth: { htpasswd: { realm: "test", path: file("htpasswd", htpasswd(users)) } } } : {}),
    ...(tokens && signer
      ? {
          auth: {
            token: {
              realm: tokens.realm,
              service: tokens.service,
              issuer: tokens.issuer,
              rootcertbundle: file("token.crt", signer.cert),
            },
          },
        }
      : {}),
  };
  // JSON is YAML.
  const child = spawn(required("docker-registry"), ["serve", file("config.yml", JSON.stringify(config))], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, OTEL_TRACES_EXPORTER: "none" },
  });
  const endWithUs = (): void => void child.kill("SIGKILL");
  process.once("exit", endWithUs);
  const host = await addressOf(child);
  const origin = `${tls ? "https" : "http"}://${host}`;
  const agent = new Agent({ connect: authority ? { ca: authority.cert } : {} });
  const close = async (): Promise<void> => {
    process.off("exit", endWithUs);
    await agent.destroy();
    await ended(child);
    await tokens?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  };

  return {
    host,
    origin,
    ca: authority?.cert,
    tokens,
    async push(reference, recipe) {
      const [, repository = reference, tag = "latest"] = /^(.+?)(?::([^/:]+))?$/.exec(reference) ?? [];
      const image = buildImage({ layers: [`${reference}\n`], ...recipe });
      await pushImage({ agent, origin, repository, authorization: await authorization(repository) }, image, tag);
      return image;
    },
    changeUsers(changed) {
      users = changed;
      // It reads the file again when that is newer.
      file("htpasswd", htpasswd(users));
    },
    close,
    [Symbol.asyncDispose]: close,
  };

  async function authorization(repository: string): Promise<string | undefined> {
    if (tokens) return `Bearer ${await tokens.sign([`repository:${repository}:pull,push`])}`;
    const [user] = Object.entries(users);
    return auth === "htpasswd" && user ? `Basic ${Buffer.from(user.join(":")).toString("base64")}` : undefined;
  }
}

interface Upload {
  readonly agent: Agent;
  readonly origin: string;
  readonly repository: string;
  readonly authorization: string | undefined;
}

/** What `docker push` does: every blob by POST and PUT, then the manifests, the image's own last and by its tag. */
async function pushImage(upload: Upload, image: BuiltImage, tag: string): Promise<void> {
  const { origin, repository } = upload;
  for (const { digest, bytes } of image.blobs) {
    const started = await send(upload, "POST", new URL(`/v2/${repository}/blobs/uploads/`, origin), undefined, "", 202);
    const place = new URL(started, origin);
    place.searchParams.set("digest", digest);
    await send(upload, "PUT", place, "application/octet-stream", bytes, 201);
  }
  for (const { digest, mediaType, bytes } of image.manifests) {
    const name = digest === image.digest ? tag : digest;
    await send(upload, "PUT", new URL(`/v2/${repository}/manifests/${name}`, origin), mediaType, bytes, 201);
  }
}

/** Gives the answer's Location. */
async function send(
  { agent, authorization }: Upload,
  method: "POST" | "PUT",
  url: URL,
  contentType: string | undefined,
  body: string | Buffer,
  expected: number,
): Promise<string> {
  const headers = { ...(contentType && { "content-type": contentType }), ...(authorization && { authorization }) };
  const answer = await request(url, { method, headers, body, dispatcher: agent });
  const text = await answer.body.text();
  if (answer.statusCode !== expected) throw new Error(`${method} ${url.href} -> ${answer.statusCode} ${text}`);
  return String(answer.headers["location"] ?? "");
}

/** The address that the server says it listens on. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    const listen = (chunk: Buffer): void => {
      output += chunk.toString("utf8");
      const address = /listening on (127\.0\.0\.1:\d+)/.exec(output)?.[1];
      if (address !== undefined) resolve(address);
    };
    child.stdout?.on("data", listen);
    child.stderr?.on("data", listen);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`docker-registry ended with ${code}:\n${output}`)));
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  await exit;
}

function htpasswd(users: { readonly [username: string]: string }): string {
  // The registry takes bcrypt only; the lowest cost that htpasswd offers keeps requests fast.
  return Object.entries(users)
    .map(([user, password]) =>
      execFileSync(required("htpasswd"), ["-Bbn", "-C", "4", user, password]).toString().trim(),
    )
    .join("\n");
}

function onPath(program: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

function required(program: string): string {
  const path = onPath(program);
  if (path === undefined) throw new Error(`${program} is not installed`);
  return path;
}
