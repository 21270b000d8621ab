import { StringDecoder } from "node:string_decoder";
import { type CancelSignal, type Clock, FetchImageError, type StepContext } from "@fetch-image/core";
import { execInPod } from "./exec.ts";
import type { KubeApi } from "./kube-api.ts";
import { collect, deliver, readFrame } from "./step-script.ts";
import { pause, throwIfAborted } from "./waiting.ts";

export interface TalkOptions {
  readonly pod: string;
  readonly container: string;
  readonly signal: CancelSignal;
  readonly clock: Clock;
  /** How often in a row a connection may bring nothing before the pod is given up. */
  readonly attempts: number;
  readonly pauseMs: number;
}

/** How a step ended, and what it printed. */
export interface StepEnd {
  readonly status: number;
  readonly answer: Buffer;
  /** Of the whole answer: more than `answer` has where that is bounded. */
  readonly size: number;
  /** The end of what it wrote to standard error. */
  readonly lastWords: string;
}

/**
 * Hands the step its request: whole, and once, however often the connection breaks; a step that has it already is left
 * alone. Rejects with `FI_KUBERNETES_UNAVAILABLE`, and as `KubeApi.ask` does.
 */
export async function deliverRequest(kube: KubeApi, request: Buffer, options: TalkOptions): Promise<void> {
  const { pod, container, signal, clock, attempts, pauseMs } = options;
  let why = "";
  for (let count = 0; count < attempts; count++) {
    throwIfAborted(signal);
    const words: Buffer[] = [];
    const onStderr = (bytes: Buffer): void => void words.push(bytes);
    const command = deliver(request.length);
    const end = await execInPod(kube, { pod, container, command, stdin: request, onStderr }, { signal, clock });
    if (end.kind === "exited" && end.status === 0) return;
    why = end.kind === "lost" ? end.why : `status ${end.status}: ${Buffer.concat(words).toString().trim()}`;
    await pause(clock, pauseMs * (count + 1), signal);
  }
  throwIfAborted(signal);
  throw unreachable(`the request could not be handed to the step in pod ${pod} in ${attempts} attempts: ${why}`);
}

/**
 * Passes on what the step writes to standard error, as it comes, and waits for its end. A connection that breaks is made
 * anew, from the byte where it broke: nothing is lost and nothing comes twice. At most about a megabyte waits in memory for
 * whoever takes the output. Errors as of {@link deliverRequest}.
 */
export async function collectStep(
  kube: KubeApi,
  {
    output,
    answerLimit,
    ...options
  }: TalkOptions & { readonly output: StepContext["output"]; readonly answerLimit: number },
): Promise<StepEnd> {
  const { pod, container, signal, clock, attempts, pauseMs } = options;
  const decoder = new StringDecoder("utf8");
  let [from, failures, lastWords] = [0, 0, ""];
  for (;;) {
    throwIfAborted(signal);
    const before = from;
    const printed: Buffer[] = [];
    const taken: Promise<void>[] = [];
    const pass = (text: string): void => {
      if (text === "") return;
      lastWords = (lastWords + text).slice(-mostLastWords);
      taken.push(output(text, "stderr"));
    };
    const end = await execInPod(
      kube,
      {
        pod,
        container,
        command: collect({ from, most: sessionBytes, answer: answerLimit }),
        onStdout: (bytes) => void printed.push(bytes),
        onStderr: (bytes) => {
          from += bytes.length;
          pass(decoder.write(bytes));
        },
      },
      { signal, clock },
    );
    throwIfAborted(signal);
    const frame =
      end.kind === "exited" && end.status === 0 ? readFrame(Buffer.concat(printed), answerLimit) : undefined;
    if (frame?.kind === "ended") pass(decoder.end());
    await Promise.all(taken);
    if (frame?.kind === "ended") return { status: frame.status, answer: frame.answer, size: frame.size, lastWords };
    failures = frame?.kind === "more" || from > before ? 0 : failures + 1;
    if (failures >= attempts) {
      const why = end.kind === "lost" ? end.why : `the collector ended with status ${end.status}`;
      throw unreachable(`what the step in pod ${pod} does cannot be followed: ${why}`);
    }
    if (frame === undefined) await pause(clock, pauseMs * failures, signal);
  }
}

const sessionBytes = 1024 * 1024;
const mostLastWords = 4_000;

function unreachable(message: string): FetchImageError {
  return new FetchImageError("FI_KUBERNETES_UNAVAILABLE", { message });
}
