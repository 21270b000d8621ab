import {
  type ArtifactPusher,
  type ArtifactToPush,
  FetchImageError,
  parseReference,
  type RegistryImageSource,
} from "@fetch-image/core/registry-image";
import type { OciRegistry } from "../image-registry.ts";
import { readArtifact } from "./read-artifact.ts";

export interface ArtifactPusherOptions {
  readonly registry: Pick<OciRegistry, "push">;
  /** Where to: a registry, or a registry and the beginning of a path: `registry.ci.svc:5000/builds`. */
  readonly prefix: string;
  /** How the registry is asked: its login, `insecure`, `ca_certs`. */
  readonly source?: Omit<RegistryImageSource, "repository">;
}

/**
 * Pushes what a step has built, the artifact's handle being its directory, to a repository of its pipeline's own,
 * `<prefix>/<team>/<pipeline>/<artifact>`, tagged by build and task. Throws `FI_SETTING_INVALID` where the prefix is none.
 */
export function createArtifactPusher({ registry, prefix, source = {} }: ArtifactPusherOptions): ArtifactPusher {
  const parsed = parseReference(`${prefix}/x`);
  if (!parsed.ok || parsed.reference.tag !== undefined || !`${prefix}/x`.startsWith(`${parsed.reference.domain}/`)) {
    throw new FetchImageError("FI_SETTING_INVALID", {
      message: "the registry that artifacts are pushed to is not a registry, nor one and the beginning of a path",
      hint: "Write it as registry.example.com:5000/builds.",
    });
  }
  return {
    async push(artifact, { signal }) {
      const image = await readArtifact(artifact.artifact.handle, { signal });
      const options = { tag: tagOf(artifact), signal };
      return await registry.push({ ...source, repository: `${prefix}/${pathOf(artifact)}` }, image, options);
    },
  };
}

function pathOf({ team, pipeline, name }: ArtifactToPush): string {
  const parts = [team, pipeline, name].filter((part) => part !== undefined);
  return parts.map((part) => component(part.toLowerCase()) || "artifact").join("/");
}

/** One build may run several tasks in one artifact, and change it between them. */
function tagOf({ buildId, planId }: ArtifactToPush): string {
  return `b${component(buildId) || "uild"}-${component(planId) || "task"}`.slice(0, 100);
}

/** As it may stand in a reference (distribution's grammar): letters and digits, with single dashes between. */
function component(text: string): string {
  return text
    .slice(0, 80)
    .replaceAll(/[^A-Za-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
}
