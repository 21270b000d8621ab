import {
  compareSemanticVersions,
  decodeBuildFact,
  formatSemanticVersion,
  formatVersionConstraint,
  FetchImageError,
  parsePipeline,
  parseReference,
  parseRegistryImageSource,
  parseSemanticVersion,
  parseVersionConstraint,
  publicSource,
  satisfiesConstraint,
  versionRule,
} from "@fetch-image/core";
import { parseChallenges } from "@fetch-image/registry";
import { expectOurs, type FuzzTarget, must, pureTarget, texts } from "../target.ts";

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;

const someVersions = ["0.0.0", "1.2.3", "1.2.3-rc.1", "2.0.0-rc.1"].flatMap((text) => {
  const parsed = parseSemanticVersion(text);
  return parsed.ok ? [parsed.version] : [];
});

export const pureTargets: readonly FuzzTarget[] = [
  pureTarget({
    name: "reference",
    seeds: texts("busybox", "registry.example.com:5000/team/app:v1.2", `ghcr.io/a/b:1@${digest}`, "[::1]:5000/x"),
    words: ["/", ":", "@", "sha256:", ".", "_", "__", "-", "localhost", "docker.io", "index.docker.io", "A", "é", "\0"],
    take(text) {
      const parsed = parseReference(text);
      if (!parsed.ok) {
        expectOurs(parsed.error);
        return;
      }
      const again = parseReference(parsed.reference.canonical);
      must(again.ok && again.reference.canonical === parsed.reference.canonical, "its canonical form is another image");
      must(parsed.reference.toString() === text, "it prints another text than was written");
    },
  }),
  pureTarget({
    name: "version",
    seeds: texts("1.2.3", "v1.2.3-rc.1+build", "1.2", "2024.01.02", "1.0.0-alpha.beta.11"),
    words: [".", "-", "+", "0", "00", "v", "rc", "9".repeat(20), "-alpine", "x", " "],
    take(text) {
      const parsed = parseSemanticVersion(text);
      if (!parsed.ok) return;
      const again = parseSemanticVersion(formatSemanticVersion(parsed.version));
      must(again.ok && compareSemanticVersions(parsed.version, again.version) === 0, "it prints another version");
    },
  }),
  pureTarget({
    name: "constraint",
    seeds: texts(">=1.2.0, <3", "^1.2 || ~2.3.0", "1.2 - 2.0", "!=1.x", ">= 1.0.0-0"),
    words: ["||", ",", "-", " - ", "^", "~", "!=", "=>", "=<", "<", ">", "x", "*", "1", ".", "-0", " "],
    take(text) {
      const parsed = parseVersionConstraint(text);
      if (!parsed.ok) {
        expectOurs(parsed.error);
        return;
      }
      const again = parseVersionConstraint(formatVersionConstraint(parsed.constraint));
      must(again.ok, "it prints what it does not read");
      for (const one of someVersions) {
        const [allowed, stillAllowed] = [parsed, again].map(({ constraint }) => satisfiesConstraint(one, constraint));
        must(allowed === stillAllowed, "it prints another constraint");
      }
    },
  }),
  pureTarget({
    name: "tag-regex",
    seeds: texts("^v[0-9]+$", "(?i)release-(?P<n>\\d+)", "(a+)+$", "[[:alpha:]]{2,5}|x*?"),
    words: ["(", ")", "[", "]", "{1000}", "{2,}", "*", "+?", "(?P<a>", "(?s)", "\\pL", "\\Q", "|", "^", "$", "\\"],
    take(text) {
      const parsed = versionRule({ tag_regex: text });
      if (!parsed.ok) {
        expectOurs(parsed.error);
        return;
      }
      const { rule } = parsed;
      if (rule.mode === "tag_regex") for (const tag of ["v1", "a".repeat(64), "é"]) rule.regex.matches(tag);
    },
  }),
  pureTarget({
    name: "source",
    seeds: texts(
      JSON.stringify({ repository: "acme/app", tag: "1", username: "ci", password: "canary-password" }),
      JSON.stringify({ repository: "acme/app", tag_regex: "^v", created_at_sort: true, platform: { os: "linux" } }),
      JSON.stringify({ repository: "x", registry_mirror: { host: "m", password: "canary-password" }, ca_certs: ["-"] }),
    ),
    words: ['"tag":', '"tagg":1,', "null", "{}", "[]", '""', "42.10", '"aws_region":"x",', '"__proto__":{},'],
    take(text) {
      const source = jsonObject(text);
      if (source === undefined) return;
      const parsed = parseRegistryImageSource(source);
      const shown = JSON.stringify(parsed.ok ? publicSource(parsed.source) : expectOurs(parsed.error));
      // Where a change has put the same letters into a name, showing them gives nothing away.
      const elsewhere = JSON.stringify(source, (name, value: unknown) => (name === "password" ? undefined : value));
      must(elsewhere.includes("canary") || !shown.includes("canary-password"), "it shows the password");
    },
  }),
  pureTarget({
    name: "pipeline",
    seeds: texts(
      "resources:\n- name: app\n  type: git\n  source: {uri: x}\njobs:\n- name: unit\n  plan:\n  - get: app\n",
      "jobs:\n- name: a\n  plan:\n  - in_parallel:\n      steps: [{task: t, config: {platform: linux, run: {path: ls}}}]\n",
      "resource_types:\n- name: pr\n  type: registry-image\n  source: {repository: x, password: ((p))}\n",
    ),
    words: [
      "&a ",
      "*a",
      "<<: *a",
      "- ",
      "  ",
      "\t",
      "((",
      "))",
      "!!binary ",
      "get: ",
      "try:",
      "across:",
      "\n---\n",
      "{",
      "?",
    ],
    take(text) {
      const parsed = parsePipeline(text, { file: "ci.yml" });
      if (!parsed.ok) expectOurs(parsed.error);
    },
  }),
  pureTarget({
    name: "fact",
    seeds: texts(
      JSON.stringify({ fetchId: "1", reason: { code: "FI_ABORTED", message: "m", retryable: false } }),
      JSON.stringify({ fetchId: "1", version: { tag: "1", digest }, reference: "acme/app:1" }),
    ),
    words: ['"fetchId":', "null", "{}", '""', "1e999", '"digest":'],
    take(text) {
      const data = jsonObject(text);
      if (data === undefined) return;
      const types = ["FetchAborted", "ImageChecked", "ImageVersionResolved", "FetchFailed", "ImageCheck", "Unheard"];
      for (const type of types) {
        try {
          decodeBuildFact({ ...recorded, type, data });
        } catch (error) {
          expectOurs(error);
        }
      }
    },
  }),
  pureTarget({
    name: "challenge",
    seeds: texts(
      'Bearer realm="https://auth.example.com/token",service="r",scope="repository:a/b:pull"',
      'Basic realm="a, b", Negotiate YII=, Bearer realm=x',
    ),
    words: ['"', "\\", ",", "=", " ", "\t", "Bearer", "Basic", "realm=", "scope=", 'error="insufficient_scope"'],
    take(text) {
      for (const { scheme, parameters } of parseChallenges([text])) {
        must(text.toLowerCase().includes(scheme), "it makes up a scheme");
        for (const value of parameters.values()) must(value.length <= text.length, "it makes up a value");
      }
    },
  }),
];

const recorded = {
  id: "00000000-0000-4000-8000-000000000000",
  stream: "build-1",
  revision: 0n,
  position: "1",
  metadata: { schema: 1, $correlationId: "1", time: "2026-01-01T00:00:00.000Z" },
};

function jsonObject(text: string): Parameters<typeof parseRegistryImageSource>[0] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return value as Parameters<typeof parseRegistryImageSource>[0];
  } catch (error) {
    if (FetchImageError.is(error)) throw error;
    return undefined;
  }
}
