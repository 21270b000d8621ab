import { createHash } from "node:crypto";

/** A login at one registry. */
export interface Credential {
  readonly username: string;
  readonly password: string;
  /** A token server is given this instead of both, for tokens (OAuth 2.0 `refresh_token`). */
  readonly identityToken?: string;
  /** `Basic …`, as it goes into a header. */
  readonly basic: string;
  /** Tells one credential from another without being one. */
  readonly key: string;
}

/** As the resource does it: without both a username and a password the registry is asked anonymously. */
export function credentialOf(login: {
  readonly username?: string;
  readonly password?: string;
}): Credential | undefined {
  const { username, password } = login;
  if (!username || !password) return undefined;
  return credential(username, password);
}

/** An identity token, as `docker login` keeps it for registries that give one. */
export function identityTokenCredential(username: string, identityToken: string): Credential {
  return { ...credential(username, identityToken), identityToken };
}

function credential(username: string, password: string): Credential {
  return {
    username,
    password,
    basic: `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`,
    key: createHash("sha256")
      .update(JSON.stringify([username, password]))
      .digest("hex"),
  };
}

/**
 * Every form in which a credential could be read back out of a text about `repository`. A username that stands in the
 * repository's own name, or is too short to tell anything, is left: cutting it would only garble messages.
 */
export function secretsOf(credential: Credential | undefined, repository: string): readonly string[] {
  if (!credential) return [];
  const { username, password, basic } = credential;
  const encoded = basic.slice("Basic ".length);
  const name = username.length < 4 || repository.includes(username) ? [] : [username];
  return [password, `${username}:${password}`, encoded, encoded.replace(/=+$/, ""), ...name];
}
