import type { Json } from "../json.ts";
import type { Hash } from "../ports/hash.ts";
import { canonicalJson } from "./canonical-json.ts";
import { isOnDockerHub } from "./check-mode.ts";
import { hasLogin } from "./credential.ts";
import type { RegistryImageSource } from "./registry-image-source.ts";

/**
 * Tells whether two sources of a scope show the same secrets: 16 hex digits, the same for the same secrets, scope and key.
 * Without the key they say nothing of the secrets, which a guess could else be tried against. Null where the source holds
 * none: it asks anonymously, or by a login that the host was configured with.
 */
export function credentialProof(source: RegistryImageSource, scope: string, key: string, hash: Hash): string | null {
  const secrets = secretsShown(source);
  if (secrets === undefined) return null;
  // Hashed twice with the key in front, as in HMAC (RFC 2104 §2): one hash could be continued without knowing the key.
  return hash.sha256Hex(`${key}\n${hash.sha256Hex(`${key}\n${canonicalJson({ scope, secrets })}`)}`).slice(0, 16);
}

/** What proves the identity that `credentialIdentity` tells. */
function secretsShown(source: RegistryImageSource): Json | undefined {
  const { password, registry_mirror: mirror, aws_access_key_id: keyId = "" } = source;
  const shown: { [name: string]: Json } = {};
  if (hasLogin(source)) shown["password"] = password ?? "";
  if (mirror !== undefined && hasLogin(mirror) && isOnDockerHub(source.repository)) {
    shown["mirror"] = mirror.password ?? "";
  }
  if (keyId !== "") shown["aws"] = [source.aws_secret_access_key ?? "", source.aws_session_token ?? ""];
  return Object.keys(shown).length === 0 ? undefined : shown;
}
