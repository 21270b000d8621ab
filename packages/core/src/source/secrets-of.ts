import { parseReference } from "../image/reference.ts";
import type { Json, JsonObject } from "../json.ts";

/**
 * Every text of the source that must be cut from whatever is printed, longest first: the values of credential fields,
 * known by name at any depth and in any spelling of case, of the source of whatever type, valid or not. A value that
 * looks different inside JSON is there in both forms; one of several lines also line by line, as logs print it.
 * Names of users and accounts are left alone where they also stand in the repository (`acme` in `acme/app`) or are too
 * short to tell anything: cutting them would only garble messages.
 */
export function secretsOf(source: JsonObject): string[] {
  const texts = credentialTexts(source);
  if (texts.length === 0) return [];
  const found = new Set<string>();
  const repository = repositoryText(source["repository"]);
  for (const { text, isName } of texts) {
    if (text.trim() === "" || (isName && (text.length < shortestName || repository.includes(text)))) continue;
    for (const form of formsOf(text)) found.add(form);
  }
  return [...found].toSorted((a, b) => b.length - a.length);
}

const shortestName = 4;
const shortestLine = 8;

/** Names alone; who they are is no proof, but it is nobody else's business either. */
const nameField = /^(?:username|user|aws_access_key_id|aws_role_arns?|azure_client_id|azure_tenant_id)$/;
const secretField = /pass|secret|token|credential|api_?key|private_?key|access_?key|json_?key|repository_key$|tls_key/;

interface CredentialText {
  readonly text: string;
  readonly isName: boolean;
}

/** Walks without recursion: a source may be nested as deep as its author likes. */
function credentialTexts(source: JsonObject): CredentialText[] {
  const found: CredentialText[] = [];
  const left: { value: Json; kind: "secret" | "name" | "open" }[] = [{ value: source, kind: "open" }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { value, kind } = next;
    if (typeof value === "object" && value !== null) {
      for (const [name, field] of Object.entries(value)) {
        const inner = kind === "open" ? kindOfField(name) : kind;
        if (inner !== "open" || typeof field === "object") left.push({ value: field, kind: inner });
      }
    } else if (kind !== "open" && (typeof value === "string" || typeof value === "number")) {
      found.push({ text: String(value), isName: kind === "name" });
    }
  }
  return found;
}

function repositoryText(repository: Json | undefined): string {
  const parsed = typeof repository === "string" ? parseReference(repository) : undefined;
  return parsed?.ok === true ? parsed.reference.canonical : "";
}

function kindOfField(name: string): "secret" | "name" | "open" {
  const field = name.toLowerCase();
  if (nameField.test(field)) return "name";
  // Only a put uses `content_trust`; nothing in it needs to be seen.
  return secretField.test(field) || field === "content_trust" ? "secret" : "open";
}

function formsOf(text: string): string[] {
  const lines = text.split(/\r?\n/).filter((line) => line.length >= shortestLine && !line.startsWith("-----"));
  return [text, ...lines].flatMap((form) => [form, JSON.stringify(form).slice(1, -1)]);
}
