import { readFile } from "node:fs/promises";
import type { Policy } from "@fetch-image/core";
import { FetchImageError } from "@fetch-image/core/basics";
import type { EffectiveSettings } from "./effective-settings.ts";
import { errnoOf } from "./errno.ts";
import { version } from "./version.ts";

/**
 * The policy that the settings ask for: rules first, which cost nothing, then the policy agent. Undefined where all images
 * may be used. Throws `FI_SETTING_INVALID`.
 */
export async function openPolicy({ values }: Pick<EffectiveSettings, "values">): Promise<Policy | undefined> {
  const { allowedImages: allowed, deniedImages: denied, digestRequired, opaUrl } = values;
  const hasRules = allowed.length > 0 || denied.length > 0 || digestRequired !== "no";
  if (!hasRules && opaUrl === undefined) return undefined;
  const { allPolicies, imageRulesPolicy, parseImageRules } = await import("@fetch-image/core");
  const parsed = parseImageRules({ allowed, denied, ...(digestRequired === "no" ? {} : { digestRequired }) });
  if (!parsed.ok) throw new FetchImageError("FI_SETTING_INVALID", { message: `${parsed.text} is no rule for images` });
  const policies = hasRules ? [imageRulesPolicy(parsed.rules)] : [];
  return allPolicies(opaUrl === undefined ? policies : [...policies, await openAgent(opaUrl, { values })]);
}

async function openAgent(url: string, { values }: Pick<EffectiveSettings, "values">): Promise<Policy> {
  const { createOpaPolicy } = await import("@fetch-image/kubernetes/opa");
  return createOpaPolicy({
    url,
    timeoutMs: values.opaTimeout,
    attempts: values.opaAttempts,
    ...(values.opaCa === undefined ? {} : { ca: await certificates(values.opaCa) }),
    clusterName: values.clusterName,
    clusterVersion: version(),
    allowedKey: values.opaResultAllowedKey,
    shouldBlockKey: values.opaResultShouldBlockKey,
    messagesKey: values.opaResultMessagesKey,
  });
}

async function certificates(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new FetchImageError("FI_SETTING_INVALID", {
      message: `opa-ca: ${path} cannot be read (${errnoOf(error) ?? "unknown"})`,
      details: { setting: "opa-ca", path },
    });
  }
}
