import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { rootCertificates } from "node:tls";
import { setTimeout as wait } from "node:timers/promises";
import { type CancelSignal, FetchImageError, type JsonObject } from "@fetch-image/core";
import type { OpaOptions } from "./opa-policy.ts";

/** One question to the agent after another; keeps nothing but its address. */
export interface OpaClient {
  /** Host and port, for messages. */
  readonly host: string;
  /** The answer's JSON. Rejects with `FI_POLICY_UNAVAILABLE`, and with `FI_ABORTED` when the signal aborts. */
  ask(question: JsonObject, signal: CancelSignal): Promise<unknown>;
}

/** Throws `FI_SETTING_INVALID` for an address that is none, or that holds a login. */
export function createOpaClient({ url: text, timeoutMs = 5000, attempts = 3, ca }: OpaOptions): OpaClient {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw new FetchImageError("FI_SETTING_INVALID", {
      message: "opa-url is no http or https URL without a login",
      hint: "Write the decision's address: http://127.0.0.1:8181/v1/data/concourse/decision.",
      details: { setting: "opa-url" },
    });
  }
  const { host } = url;
  const trust = ca === undefined ? {} : { ca: [...rootCertificates, ca] };
  return {
    host,
    async ask(question, signal) {
      const body = JSON.stringify(question);
      for (let attempt = 1; ; attempt++) {
        using cancel = cancellation(signal, timeoutMs);
        try {
          return await post({ url, body, ...trust }, cancel.signal);
        } catch (error) {
          if (signal.aborted) throw aborted(signal);
          const failure = failed(host, cancel.signal.aborted ? `it gave no answer within ${timeoutMs} ms` : error);
          if (attempt >= attempts || !failure.retryable) throw failure;
        }
        using pause = cancellation(signal);
        await wait(firstPauseMs * 2 ** (attempt - 1), undefined, { signal: pause.signal }).catch(() => {
          throw aborted(signal);
        });
      }
    },
  };
}

const firstPauseMs = 100;
const mostBytes = 1024 * 1024;

/** What an agent says that will not change by asking again. */
class Refusal extends Error {}

interface Post {
  readonly url: URL;
  readonly body: string;
  readonly ca?: readonly string[];
}

async function post({ url, body, ca }: Post, signal: AbortSignal): Promise<unknown> {
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  const options = { method: "POST", headers, signal, ...(ca === undefined ? {} : { ca: [...ca] }) };
  const text = await new Promise<string>((resolve, reject) => {
    const request = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, options, (answer) => {
      const { statusCode: status = 0 } = answer;
      if (status !== 200) {
        answer.destroy();
        reject(
          status >= 500 || status === 429 ? new Error(`it answered ${status}`) : new Refusal(`it answered ${status}`),
        );
        return;
      }
      const chunks: Buffer[] = [];
      let size = 0;
      answer.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size <= mostBytes) return;
        answer.destroy();
        reject(new Refusal(`its answer has more than ${mostBytes} bytes`));
      });
      answer.on("error", reject);
      answer.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    });
    request.on("error", reject);
    request.end(body);
  });
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal("its answer is no JSON");
  }
}

/** An abort signal of our own: Node's want a whole one, with events, and ours may be less. */
function cancellation(outer: CancelSignal, timeoutMs?: number): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const cancel = () => controller.abort();
  const timer = timeoutMs === undefined ? undefined : setTimeout(cancel, timeoutMs);
  if (outer.aborted) cancel();
  outer.addEventListener("abort", cancel);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      outer.removeEventListener("abort", cancel);
    },
  };
}

function failed(host: string, problem: unknown): FetchImageError {
  const says = typeof problem === "string" ? problem : reasonOf(problem);
  return new FetchImageError("FI_POLICY_UNAVAILABLE", {
    message: `the policy agent at ${host} gave no decision: ${says}`,
    retryable: !(problem instanceof Refusal),
    details: { host },
  });
}

/** A system error's code tells more than its message, in which an address may stand. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "it failed";
  return "code" in error && typeof error.code === "string" ? `the connection failed (${error.code})` : error.message;
}

function aborted(signal: CancelSignal): FetchImageError {
  return new FetchImageError("FI_ABORTED", { message: "the policy was not waited for", cause: signal.reason });
}
