import { describe, expect, test } from "vitest";
import type { PolicyQuestion } from "../ports/policy.ts";
import { allPolicies } from "./all-policies.ts";
import { decideByRules, type ImageRules, imageRulesPolicy } from "./image-rules.ts";
import { parseImageRules } from "./parse-image-rules.ts";
import { fitsPattern } from "./pattern.ts";

const digest = `sha256:${"d".repeat(64)}` as const;
const source = { repository: "ghcr.io/acme/app", tag: "1" };
const asked: PolicyQuestion = {
  phase: "request",
  buildId: "1",
  name: "image",
  type: "registry-image",
  source,
  privileged: false,
};
const resolved: PolicyQuestion = { ...asked, phase: "digest", reference: `ghcr.io/acme/app:1@${digest}` };

function rulesOf(texts: Parameters<typeof parseImageRules>[0]): ImageRules {
  const parsed = parseImageRules(texts);
  if (!parsed.ok) throw new Error(`${parsed.text} is no rule`);
  return parsed.rules;
}

/** `allowed`, `hard: …` or `soft: …`. */
function decided(texts: Parameters<typeof parseImageRules>[0], question: PolicyQuestion = asked): string {
  const answer = decideByRules(rulesOf(texts), question);
  return answer.decision === "allowed" ? "allowed" : `${answer.enforcement}: ${answer.reasons.join("; ")}`;
}

const of = (repository: string, more: object = {}): PolicyQuestion => ({ ...asked, source: { repository, ...more } });

describe("rules for images", () => {
  test("allow everything where there are none", () => {
    expect(decided({})).toBe("allowed");
  });

  test("allow what the list has, by its canonical name, and nothing else", () => {
    const allowed = ["ghcr.io/acme/*", "docker.io/library/busybox"];
    expect(decided({ allowed })).toBe("allowed");
    expect(decided({ allowed }, of("busybox"))).toBe("allowed");
    expect(decided({ allowed }, of("ghcr.io/acmeville/app"))).toBe(
      "hard: ghcr.io/acmeville/app is not among the allowed repositories",
    );
  });

  test("let a soft entry's images through with a warning, unless an earlier entry has them", () => {
    const allowed = ["ghcr.io/acme/app", "ghcr.io/*=soft"];
    expect(decided({ allowed })).toBe("allowed");
    expect(decided({ allowed }, of("ghcr.io/other"))).toBe("soft: ghcr.io/other is allowed only for now, by ghcr.io/*");
    expect(decided({ allowed }, of("quay.io/other"))).toMatch(/^hard: /);
  });

  test("deny what is denied, whatever is allowed; hard where any rule is hard, with every reason", () => {
    const allowed = ["ghcr.io/*"];
    expect(decided({ allowed, denied: ["*/acme/*=soft"] })).toBe("soft: ghcr.io/acme/app is denied by */acme/*");
    expect(decided({ allowed, denied: ["*/acme/*=soft", "ghcr.io/acme/app"] })).toBe(
      "hard: ghcr.io/acme/app is denied by */acme/*; ghcr.io/acme/app is denied by ghcr.io/acme/app",
    );
  });

  test("deny a digest as soon as it is known, under whatever tag", () => {
    expect(decided({ denied: [digest] })).toBe("allowed");
    expect(decided({ denied: [digest] }, resolved)).toBe(`hard: the digest of ${resolved.reference} is denied`);
    expect(decided({ denied: [`${digest}=soft`] }, resolved)).toMatch(/^soft: /);
  });

  test("may require a digest of what was resolved", () => {
    const tagOnly = { ...resolved, reference: "ghcr.io/acme/app:1" };
    expect(decided({ digestRequired: "hard" }, resolved)).toBe("allowed");
    expect(decided({ digestRequired: "hard" }, tagOnly)).toMatch(/^hard: ghcr\.io\/acme\/app:1 has no digest/);
    expect(decided({ digestRequired: "soft" }, tagOnly)).toMatch(/^soft: /);
    expect(decided({ digestRequired: "hard" }, asked)).toBe("allowed");
  });

  test("count the mirror of Docker Hub's images, from which the answer comes", () => {
    const mirrored = of("busybox", { registry_mirror: { host: "mirror.example.com" } });
    expect(decided({ allowed: ["docker.io/*"] }, mirrored)).toMatch(/^hard: mirror\.example\.com\/library\/busybox /);
    expect(decided({ allowed: ["docker.io/*", "mirror.example.com/*"] }, mirrored)).toBe("allowed");
    expect(
      decided(
        { denied: ["mirror.example.com/*"] },
        of("ghcr.io/a", { registry_mirror: { host: "mirror.example.com" } }),
      ),
    ).toBe("allowed");
  });

  test("wait for ECR's host, which only the login tells", () => {
    const host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    const ecr = of("team/app", { tag: "1", aws_region: "eu-west-1" });
    const known = { ...ecr, phase: "digest", reference: `${host}/team/app:1@${digest}` } as const;
    const allowed = ["*.dkr.ecr.*.amazonaws.com/team/*"];
    expect(decided({ allowed }, ecr)).toBe("allowed");
    expect(decided({ allowed }, known)).toBe("allowed");
    expect(decided({ allowed: ["ghcr.io/*"] }, known)).toMatch(/^hard: /);
    expect(decided({ allowed }, { ...ecr, phase: "digest" })).toMatch(/does not tell its repository/);
  });

  test("take a type that tells no repository only where anything goes", () => {
    const git = { ...asked, type: "docker-image", source: {} };
    expect(decided({ allowed: ["ghcr.io/*"] }, git)).toBe(
      `hard: an image of type "docker-image", which does not tell its repository, is not among the allowed repositories`,
    );
    expect(decided({ allowed: ["ghcr.io/*", "*=soft"] }, git)).toMatch(/^soft: /);
    expect(decided({ denied: ["ghcr.io/*"] }, git)).toBe("allowed");
  });

  test("read certificates as the count that stands for them", () => {
    expect(decided({ allowed: ["ghcr.io/*"] }, of("ghcr.io/a", { ca_certs: 2 }))).toBe("allowed");
  });

  test.each([
    "",
    "ghcr.io",
    "acme/app",
    "ghcr.io/Acme",
    "ghcr.io/a:1",
    `ghcr.io/a@${digest}`,
    "https://ghcr.io/a",
    "ghcr.io/a=maybe",
    "ghcr.io/a =soft",
    "sha256:short",
  ])("%j is none", (text) => {
    expect(parseImageRules({ allowed: [text] })).toEqual({ ok: false, text });
    expect(parseImageRules({ denied: [text] })).toEqual({ ok: false, text });
  });

  test("name digests among the denied alone", () => {
    expect(parseImageRules({ allowed: [digest] }).ok).toBe(false);
  });
});

describe("a star", () => {
  test.each([
    ["*", "", true],
    ["a*", "a", true],
    ["a*b", "ab", true],
    ["a*b", "a/x/b", true],
    ["a*b", "ab/", false],
    ["ab*ba", "aba", false],
    ["*a*a*", "a", false],
    ["*a*b*c", "xaybzc", true],
    ["a.c", "abc", false],
    ["**", "anything", true],
  ])("in %s, for %j: %s", (pattern, name, fits) => {
    expect(fitsPattern(pattern, name)).toBe(fits);
  });
});

describe("several policies", () => {
  const { signal } = new AbortController();
  const policy = (texts: Parameters<typeof parseImageRules>[0]) => imageRulesPolicy(rulesOf(texts));

  test("deny together, and nobody is asked after one that denies hard", async () => {
    const never = { decide: () => Promise.reject(new Error("asked")) };
    const soft = policy({ denied: ["ghcr.io/acme/*=soft"] });
    const hard = policy({ denied: ["ghcr.io/*"] });
    expect(await allPolicies([soft, hard, never])?.decide(asked, { signal })).toEqual({
      decision: "denied",
      enforcement: "hard",
      reasons: ["ghcr.io/acme/app is denied by ghcr.io/acme/*", "ghcr.io/acme/app is denied by ghcr.io/*"],
    });
    expect(await allPolicies([soft, policy({})])?.decide(asked, { signal })).toMatchObject({ enforcement: "soft" });
    expect(await allPolicies([policy({}), policy({})])?.decide(asked, { signal })).toEqual({ decision: "allowed" });
    await expect(allPolicies([soft, never])?.decide(asked, { signal })).rejects.toThrow("asked");
  });

  test("are none where there are none", () => {
    expect(allPolicies([])).toBeUndefined();
  });
});
