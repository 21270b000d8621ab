import { buildFactSchemas } from "./build-facts.ts";
import {
  buildStreamPrefix,
  machineVersion,
  registryStreamPrefix,
  schemaVersion,
  scopeStreamPrefix,
  shadowStreamPrefix,
} from "./facts.ts";
import { registryFactSchemas } from "./registry-facts.ts";
import { scopeFactSchemas } from "./scope-facts.ts";
import { shadowFactSchemas } from "./shadow-facts.ts";

/**
 * What of a stored fact is of a newer version of this software, in words; undefined where nothing is. A stream with such a
 * fact may be read here, not written: what follows could contradict what only the newer version understands.
 */
export function newerPart(fact: {
  readonly stream: string;
  readonly type: string;
  readonly metadata: { readonly schema?: unknown; readonly machine?: unknown };
}): string | undefined {
  const { schema, machine } = fact.metadata;
  if (typeof schema === "number" && schema > schemaVersion) return `schema version ${schema}, and not ${schemaVersion}`;
  if (!Object.hasOwn(schemasOf(fact.stream), fact.type)) return "a type that this version does not know";
  if (typeof machine === "string" && isNewer(machine)) return `machine version ${machine}, and not ${machineVersion}`;
  return undefined;
}

function schemasOf(stream: string): object {
  if (stream.startsWith(buildStreamPrefix)) return buildFactSchemas;
  if (stream.startsWith(registryStreamPrefix)) return registryFactSchemas;
  if (stream.startsWith(shadowStreamPrefix)) return shadowFactSchemas;
  return stream.startsWith(scopeStreamPrefix) ? scopeFactSchemas : {};
}

/** Versions of the machine count up. One that is written otherwise was not written by an older version. */
function isNewer(machine: string): boolean {
  return !/^\d+$/.test(machine) || Number(machine) > Number(machineVersion);
}
