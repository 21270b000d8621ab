import { type ChildProcess, spawn } from "node:child_process";
import { FetchImageError } from "@fetch-image/core/registry-image";
import { parseJsonBody } from "../../json-body.ts";
import type { Secrets } from "../../transport/redact.ts";
import { type Credential, credentialOf, identityTokenCredential } from "../credential.ts";

interface Asking {
  /** As `docker login` calls the registry. */
  readonly server: string;
  readonly secrets: Secrets;
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/**
 * Asks `docker-credential-NAME get` for a login (docker/docker-credential-helpers): the server's name on its standard
 * input, `{"Username","Secret"}` on its standard output, `<token>` for a user where the secret is an identity token.
 * Undefined where it knows none. No shell; bounded in time and in output; nothing that it writes is quoted but where it
 * says why it failed. Rejects with `FI_UNAUTHORIZED`, and with `FI_REGISTRY_TIMEOUT` where it does not end.
 */
export async function askHelper(helper: string, asking: Asking): Promise<Credential | undefined> {
  const program = `docker-credential-${helper}`;
  const { server, secrets } = asking;
  const { status, stdout } = await run(program, asking);
  if (status !== 0) {
    const words = secrets.redact(stdout.trim().slice(0, 200));
    // Words of the protocol: helpers have no other way to say so.
    if (/credentials not found|no credentials? server url|no credentials? username/i.test(words)) return undefined;
    throw failed(
      program,
      asking,
      `failed with status ${status ?? "none"}${words === "" ? "" : ` (it says: ${words})`}`,
    );
  }
  const body = parseJsonBody(stdout);
  const { Username: username, Secret: secret } = body ?? {};
  if (typeof username !== "string" || typeof secret !== "string" || secret === "") {
    throw failed(program, { server }, "answered no login");
  }
  secrets.add(secret);
  return username === "<token>" ? identityTokenCredential("", secret) : credentialOf({ username, password: secret });
}

function run(program: string, asking: Asking): Promise<{ status: number | null; stdout: string }> {
  const { server, timeoutMs, maxBytes } = asking;
  return new Promise((resolve, reject) => {
    const child = spawn(program, ["get"], {
      stdio: ["pipe", "pipe", "ignore"],
      windowsHide: true,
      // A group of its own, so that whatever it started can be ended with it.
      detached: process.platform !== "win32",
    });
    const chunks: Buffer[] = [];
    let length = 0;
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      if (child.exitCode === null && child.signalCode === null) endWithChildren(child);
      // What it may have started could hold the pipe open.
      child.stdout.destroy();
      settle();
    };
    let timer = setTimeout(() => end(() => reject(tooSlow(program, server, timeoutMs))), timeoutMs);
    child.stdout.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > maxBytes) end(() => reject(failed(program, asking, `wrote more than ${maxBytes} bytes`)));
    });
    child.on("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "ENOENT" ? "is not installed" : `could not be started (${error.code ?? error.name})`;
      end(() => reject(failed(program, asking, why)));
    });
    child.on("exit", (status) => {
      // Its last words may still be in the pipe, and whatever it left running may keep it open.
      const settle = (): void => end(() => resolve({ status, stdout: Buffer.concat(chunks).toString("utf8") }));
      clearTimeout(timer);
      timer = setTimeout(settle, lastWordsMs);
      child.stdout.on("end", settle);
      if (child.stdout.readableEnded) settle();
    });
    child.stdin.on("error", () => {}); // It may answer without having read the question.
    child.stdin.end(`${server}\n`);
  });
}

const lastWordsMs = 1000;

function endWithChildren(child: ChildProcess): void {
  try {
    if (child.pid !== undefined && process.platform !== "win32") process.kill(-child.pid, "SIGKILL");
    else child.kill("SIGKILL");
  } catch {
    // It has just ended by itself.
  }
}

function failed(program: string, { server }: Pick<Asking, "server">, why: string): FetchImageError {
  return new FetchImageError("FI_UNAUTHORIZED", {
    message: `${program}, which the docker config names for ${server}, ${why}`,
    hint: `Try it by hand: echo ${server} | ${program} get`,
    details: { setting: "docker-config", host: server, program },
  });
}

function tooSlow(program: string, server: string, timeoutMs: number): FetchImageError {
  return new FetchImageError("FI_REGISTRY_TIMEOUT", {
    message: `${program}, which the docker config names for ${server}, gave no login within ${timeoutMs} ms`,
    details: { setting: "docker-config", host: server, program, timeoutMs },
  });
}
