import { credentialProof, type RegistryImageSource, scopeOf } from "@fetch-image/core";
import { nodeHash } from "@fetch-image/engine";

const user = "ci";
/** By which the user gets everything: the second took the first one's place, which still works. */
const passwords = ["open sesame", "rotated"];
const wrong = "guessed";

/** Logins of the user, some of which are none. */
export const logins: readonly Login[] = [...passwords, ...passwords, wrong].map((password) => ({
  username: user,
  password,
}));

type Login = Pick<RegistryImageSource, "username" | "password">;

/** Whether a registry answers them; without a login it does. */
export function mayAsk({ password }: Login): boolean {
  return password !== wrong;
}

/** Which secrets a process can tell to be the same as another's: all, or its own alone. */
export function credentialKeyOf(node: string, isShared: boolean): string {
  return `a key of the simulation, of ${isShared ? "all its nodes" : node}`;
}

/** What is told to who shows the same secret: its scope, and `credentialProof` or nothing. */
export function lineageOf(source: RegistryImageSource, credentialKey: string): Lineage {
  const { id } = scopeOf("registry-image", source, nodeHash);
  return { scope: id, proof: credentialProof(source, id, credentialKey, nodeHash) ?? undefined };
}

export interface Lineage {
  readonly scope: string;
  readonly proof: string | undefined;
}

/** The password that a proof is of; empty for none. */
export function passwordOf(repository: string, { scope, proof }: Lineage, credentialKey: string): string {
  if (proof === undefined) return "";
  return (
    [...passwords, wrong].find(
      (password) => credentialProof({ repository, username: user, password }, scope, credentialKey, nodeHash) === proof,
    ) ?? "nobody's"
  );
}
