import type { Logger } from "@fetch-image/core/fetching";
import { invalid, parseConnectionString } from "./connection-string.ts";
import { Link } from "./link.ts";

/** One use of a link; the last one to be released closes it. */
export interface LinkUse {
  readonly link: Link;
  release(): Promise<void>;
}

interface Shared {
  readonly link: Link;
  uses: number;
  closing: Promise<void> | undefined;
}

const links = new Map<string, Shared>();

/** The process's link to the server of a connection string: made where there is none, else shared. */
export async function useLink(connectionString: string, logger: Logger): Promise<LinkUse> {
  const key = connectionString.trim();
  // Two clients of one process get in each other's way even while one of them ends.
  while (links.get(key)?.closing !== undefined) await links.get(key)?.closing;
  let shared = links.get(key);
  if (shared === undefined) {
    shared = { link: makeLink(key, logger), uses: 0, closing: undefined };
    links.set(key, shared);
  }
  return use(key, shared);
}

// The client keeps the batches that wait for an answer in one place for the whole process, where an error on one server
// would reject the batches of another: so only one link has batches, the others a call for each append. The client is
// told so by giving credentials with each append.
function makeLink(connectionString: string, logger: Logger): Link {
  const address = parseConnectionString(connectionString);
  const mayBatch = ![...links.values()].some(({ link }) => link.mayBatch);
  if (!mayBatch && address.settings.tls && address.credentials === undefined) {
    throw invalid("a second server in one process needs user and password, or tls=false");
  }
  return new Link(address, { logger, mayBatch });
}

function use(key: string, shared: Shared): LinkUse {
  shared.uses++;
  let released: Promise<void> | undefined;
  const release = async (): Promise<void> => {
    if (--shared.uses > 0) return;
    shared.closing = shared.link.close().finally(() => links.delete(key));
    await shared.closing;
  };
  return { link: shared.link, release: () => (released ??= release()) };
}
