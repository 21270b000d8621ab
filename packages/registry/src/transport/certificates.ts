import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import tls from "node:tls";
import { FetchImageError } from "@fetch-image/core/registry-image";

/** Private CAs, trusted beside the system's. `key` tells one set from another. */
export interface TrustedRoots {
  readonly key: string;
  readonly context: tls.SecureContext;
}

/** Makes the sets of roots of `ca_certs` and keeps them: parsing all system roots takes milliseconds. */
export function createTrust(): (caCerts: readonly string[] | undefined) => TrustedRoots | undefined {
  const known = new Map<string, TrustedRoots>();
  return (caCerts) => {
    if (!caCerts || caCerts.length === 0) return undefined;
    const key = createHash("sha256").update(JSON.stringify(caCerts)).digest("hex");
    const roots = known.get(key) ?? { key, context: secureContext(caCerts) };
    // Least recently used first, so that a scheduler with many pipelines keeps a bounded number.
    known.delete(key);
    known.set(key, roots);
    const [oldest] = known.keys();
    if (known.size > maxSets && oldest !== undefined) known.delete(oldest);
    return roots;
  };
}

const maxSets = 64;

function secureContext(caCerts: readonly string[]): tls.SecureContext {
  const added = caCerts.flatMap((text, at) => certificatesIn(text, at));
  return tls.createSecureContext({ ca: [...systemRoots(), ...added] });
}

function certificatesIn(text: string, at: number): readonly string[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block).fingerprint256.at(0);
  } catch {
    throw notACertificate(at);
  }
  if (blocks.length === 0) throw notACertificate(at);
  return blocks;
}

function notACertificate(at: number): FetchImageError {
  return new FetchImageError("FI_SOURCE_INVALID", {
    message: `ca_certs[${at}] of the source is not a certificate in PEM`,
    hint: "Paste the whole block, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----.",
    details: { field: `ca_certs[${at}]` },
  });
}

// A `ca` of one's own replaces everything Node trusts, NODE_EXTRA_CA_CERTS included; only Node 22.15 can list the latter.
function systemRoots(): readonly string[] {
  const list: unknown = Reflect.get(tls, "getCACertificates");
  const listed: unknown = typeof list === "function" ? list("default") : undefined;
  return isTexts(listed) ? listed : [...tls.rootCertificates, ...extraRoots()];
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function extraRoots(): readonly string[] {
  const path = process.env["NODE_EXTRA_CA_CERTS"];
  try {
    return path ? [readFileSync(path, "utf8")] : [];
  } catch {
    return []; // Node itself warned of it at start and went on.
  }
}
