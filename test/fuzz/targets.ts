import type { FuzzTarget } from "./target.ts";
import { artifactTargets } from "./targets/artifacts.ts";
import { layerTargets } from "./targets/layers.ts";
import { pureTargets } from "./targets/pure.ts";
import { registryTargets } from "./targets/registry-answers.ts";

/** Every parser that meets foreign bytes. */
export const targets: readonly FuzzTarget[] = [...pureTargets, ...registryTargets, ...layerTargets, ...artifactTargets];
