import { buildStream, decodeBuildFact, FetchImageError } from "@fetch-image/core";
import { logSeal } from "@fetch-image/engine";
import type { CommandContext } from "../command.ts";
import type { Stores } from "../open-stores.ts";
import { exitStatus } from "../exit-status.ts";

/** Compares the log as it renders now with what was kept of it when the build ended. */
export async function verifyLog(
  build: string,
  { stores, terminal, json }: Pick<CommandContext, "terminal" | "json"> & { readonly stores: Stores },
): Promise<number> {
  const { eventLog, where } = stores;
  const rendered = await logSeal(eventLog, build);
  const kept = await keptSeal(stores, build);
  if (rendered === undefined || kept === undefined) {
    const why = rendered === undefined ? "has not ended" : "has ended, and no hash of its log was kept";
    throw new FetchImageError("FI_LOG_UNSEALED", { message: `build ${build} in ${where} ${why}`, details: { build } });
  }
  if (rendered.sha256 !== kept.sha256 || rendered.events !== kept.events) {
    throw new FetchImageError("FI_LOG_DIFFERS", {
      message: `the log of build ${build} in ${where} has ${rendered.events} events and hashes to ${rendered.sha256}; when the build ended it had ${kept.events} and hashed to ${kept.sha256}`,
      details: { build, sha256: rendered.sha256, kept: kept.sha256, renderer: kept.renderer },
    });
  }
  const { events, sha256, renderer } = kept;
  const said = `build ${build}: ${events} events, sha256 ${sha256}, as when the build ended\n`;
  terminal.out(json ? `${JSON.stringify({ build, events, sha256, renderer })}\n` : said);
  return exitStatus.done;
}

const page = 256;

async function keptSeal({ eventLog }: Stores, build: string) {
  const stream = buildStream(build);
  let [from, left]: [bigint | undefined, boolean] = [undefined, true];
  while (left) {
    const options = { direction: "backwards", limit: page, ...(from === undefined ? {} : { from }) } as const;
    const facts = await eventLog.read(stream, options);
    for (const recorded of facts) {
      const decoded = decodeBuildFact(recorded);
      if (decoded.known && decoded.fact.type === "BuildLogSealed") return decoded.fact.data;
      from = recorded.revision - 1n;
    }
    left = facts.length === page;
  }
  return undefined;
}
