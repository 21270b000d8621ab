import {
  type CancelSignal,
  decodeScopeFact,
  type Digest,
  type EventLog,
  formatTime,
  type ImageRegistry,
  isDigest,
  type Look,
  type LookAt,
  type Looks,
  type Ours,
  parseTime,
  type RegistryImageSource,
  scopeStream,
  type Seen,
  type Theirs,
} from "@fetch-image/core/fetching";
import { codeOf } from "../failure.ts";

export interface LookOptions {
  readonly eventLog: EventLog;
  /** Every question counts as one that explains. */
  readonly registry: Pick<ImageRegistry, "check" | "listed">;
  readonly source: RegistryImageSource;
  readonly scope: string | undefined;
  readonly theirs: Theirs;
  readonly ours: Ours;
  readonly now: () => number;
  readonly signal: CancelSignal;
}

/** A look, and what of it is kept beside the explanation. */
export interface Looked {
  readonly looks: Looks;
  readonly kept: { readonly at: LookAt; readonly says: string };
}

/** Looks where the explanation wants it. What gives no answer says so, and explains nothing. */
export async function lookAt(where: LookAt, options: LookOptions): Promise<Looked> {
  if (where === "history") return await history(options);
  if (where === "index") return await index(options);
  return await tag(where, options);
}

/** Far more than a scope's version changes in an interval. */
const mostSeen = 1000;

async function history({ eventLog, scope, ours }: LookOptions): Promise<Looked> {
  const stored =
    scope === undefined ? [] : await eventLog.read(scopeStream(scope), { direction: "backwards", limit: mostSeen });
  const seen: Seen[] = [];
  for (const recorded of stored) {
    const decoded = decodeScopeFact(recorded);
    if (!decoded.known || decoded.fact.type !== "VersionObserved") continue;
    const { data, metadata } = decoded.fact;
    seen.push({ digest: data.version["digest"] ?? "", at: parseTime(metadata.time) });
  }
  // What was observed a moment ago may not be stored yet.
  const digest = ours.version?.["digest"];
  if (digest !== undefined && ours.observedAt !== undefined) seen.push({ digest, at: parseTime(ours.observedAt) });
  seen.sort((one, other) => one.at - other.at);
  const [first] = seen;
  const says =
    first === undefined
      ? "nothing was observed before"
      : `${new Set(seen.map((each) => each.digest)).size} digests since ${formatTime(first.at)}`;
  return { looks: { history: seen }, kept: { at: "history", says } };
}

async function index({ registry, source, ours, theirs, signal }: LookOptions): Promise<Looked> {
  const says: string[] = [];
  const list = async (whose: string, digest: string | undefined) => {
    if (registry.listed === undefined || !isDigest(digest ?? "")) return null;
    try {
      const listed = await registry.listed(source, digest as Digest, { signal });
      if (listed === undefined) says.push(`${whose} is not in the repository`);
      else says.push(listed.length === 0 ? `${whose} is an image` : `${whose} is an index of ${listed.length}`);
      return listed ?? null;
    } catch (error) {
      says.push(`${whose}: no answer (${codeOf(error)})`);
      return null;
    }
  };
  const of = { ours: await list("ours", ours.version?.["digest"]), theirs: await list("theirs", theirs.digest) };
  return { looks: { index: of }, kept: { at: "index", says: says.join(", ") } };
}

async function tag(where: "again" | "origin", { registry, source, now, signal }: LookOptions): Promise<Looked> {
  const { registry_mirror: _mirror, ...itself } = source;
  let look: Look;
  let says: string;
  try {
    const { versions, host } = await registry.check(where === "origin" ? itself : source, { want: "newest", signal });
    const version = versions.at(-1);
    look = { at: formatTime(now()), host, ...(version === undefined ? {} : { digest: version.digest }) };
    says = version === undefined ? "there is none" : `${version.tag} is ${version.digest} at ${host}`;
  } catch (error) {
    look = { at: formatTime(now()) };
    says = `no answer (${codeOf(error)})`;
  }
  return { looks: { [where]: look }, kept: { at: where, says } };
}
