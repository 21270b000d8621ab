import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { FetchImageError, type Json, type JsonObject, secretsOf, visible } from "@fetch-image/core";
import type { Compared, Shadow, ShadowQuestion } from "@fetch-image/engine";
import type { CommandContext } from "../command.ts";
import { openShadow } from "../open-engine.ts";
import { openStores } from "../open-stores.ts";
import { exitStatus } from "../exit-status.ts";
import { isMap } from "../json.ts";

/**
 * Compares what the lines of standard input tell, as they come, and prints what each came to. A line that cannot be read
 * is told and passed over: the status is then 2.
 */
export async function compareLines(context: CommandContext): Promise<number> {
  const { settings, logger, stdin, signal, terminal } = context;
  const { concurrency } = settings.values;
  const input = stdin();
  if (input.isTTY === true) terminal.err("reading comparisons from the terminal, one a line; end with Ctrl-D\n");
  await using stores = await openStores(settings, { access: "write", logger });
  await using wired = await openShadow(settings, { stores, logger });
  // Not before: lines that come while nobody iterates are lost.
  const lines = createInterface({ input: Readable.from(input), crlfDelay: Number.POSITIVE_INFINITY });
  signal.addEventListener("abort", () => {
    lines.close();
  });
  const inHand = new Set<Promise<void>>();
  let status: number = exitStatus.done;
  let number = 0;
  const take = async (line: string, at: number) => {
    const ended = await compareLine(line, at, wired.shadow, context);
    status = Math.max(status, ended);
  };
  for await (const line of lines) {
    number++;
    if (signal.aborted) break;
    if (line.trim() === "") continue;
    const doing = take(line, number);
    inHand.add(doing);
    void doing.finally(() => inHand.delete(doing));
    // Lines are read no faster than they are compared, so that none is dropped.
    while (inHand.size >= concurrency) await Promise.race(inHand);
  }
  await Promise.all(inHand);
  return signal.aborted ? exitStatus.interrupted : status;
}

async function compareLine(line: string, number: number, shadow: Shadow, context: CommandContext): Promise<number> {
  const { terminal, json, secrets, signal } = context;
  const tell = (text: string) => terminal.err(secrets.redact(`line ${number}: ${text}\n`));
  const question = questionOf(line, number);
  if (question === undefined) {
    tell("FI_COMPARISON_INVALID: not a JSON object with actual, and getPlan or source");
    return exitStatus.wrongInput;
  }
  await secrets.add(secretsOf(question.getPlan.get.source));
  const compared: Compared = await shadow.compare({ ...question, signal });
  if (compared.kind !== "compared") {
    const error = compared.kind === "dropped" ? new FetchImageError("FI_ENGINE_BUSY") : compared.error;
    tell(`${error.code}: ${error.message}`);
    return error.code === "FI_COMPARISON_INVALID" ? exitStatus.wrongInput : exitStatus.failed;
  }
  const { comparison } = compared;
  const { build, fetchId, name, because, proof } = comparison;
  const shown = json
    ? JSON.stringify(comparison)
    : `${comparison.class}${proof === "inferred" ? " (inferred)" : ""}: build ${build.id}, ${fetchId}, ${name}: ${because}`;
  terminal.out(secrets.redact(`${json ? shown : visible(shown)}\n`));
  return exitStatus.done;
}

/** Undefined for what is no comparison; what of one is wrong the shadow says. */
function questionOf(line: string, number: number): ShadowQuestion | undefined {
  let read: Json;
  try {
    read = JSON.parse(line) as Json;
  } catch {
    return undefined;
  }
  if (!isMap(read) || !isMap(read["actual"])) return undefined;
  const { actual, getPlan, checkPlan, source, secrets } = read;
  const build = isMap(read["build"]) ? read["build"] : { id: `line-${number}` };
  const plan = isMap(getPlan) ? getPlan : isMap(source) ? planOf(source) : undefined;
  const get = plan?.["get"];
  if (plan === undefined || !isMap(get) || !isMap(get["source"])) return undefined;
  const question: JsonObject = {
    build,
    getPlan: plan,
    ...(isMap(checkPlan) ? { checkPlan } : {}),
    actual,
    ...(Array.isArray(secrets) ? { secrets } : {}),
  };
  return question as unknown as ShadowQuestion;
}

function planOf(source: JsonObject): JsonObject {
  return { id: "image-get", get: { name: "image", type: "registry-image", source } };
}
