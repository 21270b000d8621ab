import { visible } from "@fetch-image/core";
import type { AuditScope } from "@fetch-image/engine";

/** What is asked for: a tag, or the rule by which a tag is chosen. */
export function scopeTitle({ repository = "", tag, rule }: AuditScope): string {
  return tag === undefined ? visible(`${repository} (${rule ?? "newest version tag"})`) : `${repository}:${tag}`;
}

/** Who asks, and whatever else tells this history from another of the same reference. */
export function scopeIdentity({ credential, platform, pullRepository, source, scope }: AuditScope): string {
  const who = credential === null ? "anonymous" : credential;
  const differs = ["insecure", "registry_mirror", "ca_certs", "azure_environment"].filter(
    (field) => source?.[field] !== undefined,
  );
  const parts = [who, platform, pullRepository && `pulled from ${pullRepository}`, ...differs];
  return visible([...parts.filter((part) => part !== undefined), `scope ${scope}`].join(", "));
}
