import { cutSecrets } from "../image/show-text.ts";
import type { Json, JsonObject } from "../json.ts";
import type { RegistryImageSource } from "./registry-image-source.ts";
import { isSet, sourceFieldNames, sourceFields } from "./source-fields.ts";

/**
 * What may be stored, logged and shown to a policy: the source without any credential or identity, its certificates
 * as a count, its fields always in the same order. Fields that say nothing (`""`, `false`, `[]`) are left out.
 */
export function publicSource(source: RegistryImageSource): JsonObject {
  const shown: { [name: string]: Json } = {};
  for (const name of sourceFieldNames) {
    if (isSet(source[name]) && sourceFields[name].public !== "nothing") shown[name] = publicValue(name, source);
  }
  return shown;
}

function publicValue(name: keyof RegistryImageSource, source: RegistryImageSource): Json {
  const { registry_mirror: mirror, platform } = source;
  // The host may have been given as an address with userinfo: off Docker Hub the resource never looks at it.
  if (name === "registry_mirror") return { host: cutSecrets(mirror?.host ?? "") };
  if (name === "platform") return setFields({ architecture: platform?.architecture, os: platform?.os });
  const value = source[name];
  if (sourceFields[name].public === "count") return Object.keys(value ?? {}).length;
  if (typeof value === "object") return Object.values(value).map(String);
  return value ?? null;
}

function setFields(fields: { readonly [name: string]: string | undefined }): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter((field): field is [string, string] => isSet(field[1])));
}
