import type { JsonObject, Logger } from "@fetch-image/core/basics";
import type { CommandContext } from "../command.ts";
import { createLogger } from "../logger.ts";
import { asFetchImageError, showError } from "../show-error.ts";
import { type Payload, type PayloadField, readPayload } from "./payload.ts";

/** A resource's command, its payload read and everything in it that is secret cut from now on. */
export interface ResourceCall {
  readonly payload: Payload;
  /** Verbose where the source says `debug`. */
  readonly logger: Logger;
  /** A line for people, on standard error. */
  readonly say: (line: string) => void;
}

/**
 * Runs a resource's command on its payload. Standard output is the protocol's, so people read on standard error what is
 * wrong even with `--json`.
 */
export async function runResource(
  context: CommandContext,
  fields: readonly PayloadField[],
  run: (call: ResourceCall) => Promise<number>,
): Promise<number> {
  const { terminal, secrets, json } = context;
  try {
    const payload = await payloadOf(context, fields);
    const say = (line: string) => terminal.err(`${secrets.redact(line)}\n`);
    if (isGiven(payload.source["content_trust"])) say("content_trust is for a put: it is not used here");
    return await run({ payload, say, logger: loggerOf(context, payload.source) });
  } catch (thrown) {
    terminal.progress("");
    if (json) terminal.err(secrets.redact(showError(asFetchImageError(thrown), { color: terminal.errColor })));
    throw thrown;
  }
}

async function payloadOf({ stdin, terminal, secrets }: CommandContext, fields: readonly PayloadField[]) {
  const input = stdin();
  if (input.isTTY === true) terminal.err(`reading {"source":{…},…} from the terminal; end it with Ctrl-D\n`);
  const payload = await readPayload(input, fields);
  const { secretsOf } = await import("@fetch-image/core/registry-image");
  await secrets.add(secretsOf(payload.source));
  return payload;
}

function loggerOf({ logger, settings, secrets, terminal }: CommandContext, source: JsonObject): Logger {
  if (source["debug"] !== true) return logger;
  return createLogger({
    level: "debug",
    format: settings.values.logFormat,
    redact: (text) => secrets.redact(text),
    write: (line) => terminal.err(line),
  });
}

function isGiven(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}
