// What an API server would refuse of a Pod or Secret: its schema, and the rules that its schema does not hold.
import type { Pod, Secret } from "@fetch-image/kubernetes";
import { Pod as PodModel } from "kubernetes-models/v1/Pod";
import { Secret as SecretModel } from "kubernetes-models/v1/Secret";

/** None for a manifest that any API server takes. */
export function manifestProblems(manifest: Pod | Secret): readonly string[] {
  const { name, labels = {}, annotations = {} } = manifest.metadata;
  const problems = [...schemaProblems(manifest)];
  if (!subdomain.test(name) || name.length > 253) problems.push(`${name} is no name`);
  for (const [key, value] of Object.entries(labels)) {
    if (!labelKey.test(key)) problems.push(`${key} is no label`);
    if (value !== "" && !labelText.test(value)) problems.push(`${key} cannot be ${value}`);
  }
  for (const key of Object.keys(annotations)) if (!labelKey.test(key)) problems.push(`${key} is no annotation`);
  if (Object.values(annotations).join("").length > 256 * 1024) problems.push("the annotations are too long");
  if (manifest.kind === "Pod") problems.push(...podProblems(manifest));
  return problems;
}

function schemaProblems(manifest: Pod | Secret): readonly string[] {
  try {
    if (manifest.kind === "Pod") new PodModel(manifest).validate();
    else new SecretModel(manifest).validate();
    return [];
  } catch (error) {
    return [String(error)];
  }
}

function podProblems({ metadata, spec }: Pod): readonly string[] {
  const problems: string[] = [];
  if (!dnsLabel.test(metadata.name)) problems.push(`${metadata.name} is no host's name`);
  const volumes = (spec.volumes ?? []).map(({ name }) => name);
  if (new Set(volumes).size < volumes.length) problems.push("two volumes of one name");
  for (const container of spec.containers) {
    if (container.image !== container.image.trim() || container.image === "") problems.push("no image");
    const mounts = (container.volumeMounts ?? []).map(({ mountPath }) => mountPath);
    if (new Set(mounts).size < mounts.length) problems.push("two volumes at one path");
    if (mounts.some((path) => path.includes(":"))) problems.push("a colon in a path");
    for (const { name } of container.volumeMounts ?? []) {
      if (!volumes.includes(name)) problems.push(`no volume ${name}`);
    }
    const names = (container.env ?? []).map(({ name }) => name);
    if (names.some((name) => !/^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(name))) problems.push("a variable without a name");
    const { privileged, allowPrivilegeEscalation } = container.securityContext ?? {};
    if (privileged === true && allowPrivilegeEscalation === false) problems.push("privileged, and not to escalate");
  }
  return problems;
}

export const dnsLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const subdomain = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const labelKey = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const labelText = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
