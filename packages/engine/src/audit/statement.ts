import { createHash } from "node:crypto";
import { goJson, type Json, type JsonObject } from "@fetch-image/core/fetching";
import type { AuditImage } from "./answers.ts";
import { given } from "./images.ts";

export interface StatementOptions {
  /** What the build made, which the scheduler knows. Default: the record of the build's images itself. */
  readonly subjects?: readonly { readonly name: string; readonly sha256: string }[];
  /** Who ran the build, in the words of those who will verify it: a URI. */
  readonly builderId?: string;
  /** Who ran the build. */
  readonly builderVersion?: { readonly [name: string]: string };
}

/** Of the build's own definition, as SLSA's `buildType` has it. */
const buildType = "urn:fetch-image:concourse-build:v1";
const defaultBuilder = "urn:fetch-image:scheduler";

/**
 * An in-toto Statement v1 (github.com/in-toto/attestation, spec/v1/statement.md) with a SLSA Provenance v1 predicate
 * (slsa.dev/spec/v1.0/provenance), not signed: the images that ran are its resolved dependencies, as package URLs of type
 * oci in their canonical form. The images of fetches that failed or were aborted ran nothing and are left out; versions of
 * other types than registry-image have no URI that we know, and stand in the internal parameters.
 */
export function buildStatement(
  build: { readonly build: string; readonly team?: string; readonly pipeline?: string; readonly job?: string },
  images: readonly AuditImage[],
  { subjects, builderId = defaultBuilder, builderVersion }: StatementOptions = {},
): JsonObject {
  const ran = images.filter(({ state }) => state === "short-circuited" || state === "fetched");
  const others = ran.filter(({ image }) => image === undefined);
  const times = images.flatMap(({ requestedAt, endedAt }) => [requestedAt ?? [], endedAt ?? []].flat()).toSorted();
  const { team, pipeline, job } = build;
  const externalParameters = given({ team, pipeline, job, build: build.build });
  const buildDefinition = {
    buildType,
    externalParameters,
    internalParameters: { images: others.map(({ plan, type = "", version = {} }) => ({ plan, type, version })) },
    resolvedDependencies: dependencies(ran),
  };
  const metadata = given({ invocationId: build.build, startedOn: times.at(0), finishedOn: times.at(-1) });
  const record = { name: `build/${build.build}`, sha256: sha256(goJson(buildDefinition)) };
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: (subjects ?? [record]).map(({ name, sha256: hex }) => ({ name, digest: { sha256: hex } })),
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition,
      runDetails: { builder: given({ id: builderId, version: builderVersion }), metadata },
    },
  };
}

/** Each image once, whatever ran in it. */
function dependencies(images: readonly AuditImage[]): readonly Json[] {
  const byUri = new Map<string, AuditImage[]>();
  for (const image of images) {
    if (image.image === undefined) continue;
    const uri = packageUrl(image.image);
    byUri.set(uri, [...(byUri.get(uri) ?? []), image]);
  }
  return [...byUri].map(([uri, same]) => {
    const [first] = same;
    const digest = first?.digest?.startsWith("sha256:") === true ? { sha256: first.digest.slice(7) } : undefined;
    const annotations = {
      reference: first?.image ?? "",
      ran: same.map(({ plan, fetch, via, observedAt }) => given({ plan, fetch, via, observedAt })),
      ...(digest === undefined ? { warning: "nobody knew a digest: the tag may mean another image now" } : {}),
    };
    return given({ uri, digest, annotations });
  });
}

/**
 * `pkg:oci/app@sha256:…?repository_url=ghcr.io%2Facme%2Fapp&tag=v1` for `ghcr.io/acme/app:v1@sha256:…`
 * (github.com/package-url/purl-spec, type oci): the name is the last part of the path, the version the digest.
 */
export function packageUrl(reference: string): string {
  const [, repository = "", tag, digest] = /^(.*?)(?::([^/:@]+))?(?:@(.+))?$/.exec(reference) ?? [];
  const name = repository.slice(repository.lastIndexOf("/") + 1).toLowerCase();
  const version = digest === undefined ? "" : `@${encoded(digest)}`;
  const tagged = tag === undefined ? "" : `&tag=${encoded(tag)}`;
  return `pkg:oci/${encoded(name)}${version}?repository_url=${encoded(repository)}${tagged}`;
}

/** A package URL keeps colons as they are. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll("%3A", ":");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
