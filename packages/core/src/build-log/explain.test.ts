import { describe, expect, test } from "vitest";
import type { CheckEvidence } from "../facts/facts.ts";
import type { BuildImageRow } from "../ports/read-model.ts";
import { explainImage, explainVersion, type ResolvedVersion } from "./explain.ts";
import { renderExplanation } from "./render-explanation.ts";

const digest = `sha256:${"1f".repeat(32)}`;
const observedAt = "2026-11-22T04:40:00.300Z";
const image = { type: "registry-image" };

const head: CheckEvidence = {
  via: "HEAD",
  observedAt,
  host: "registry.example.com",
  status: 200,
  credential: "c0ffee",
  rateLimit: { limit: 100, remaining: 76, windowSeconds: 21_600 },
};

function byCheck(evidence: CheckEvidence, changes: Partial<ResolvedVersion> = {}): ResolvedVersion {
  return {
    version: { tag: "v1.2", digest },
    reference: `registry.example.com/my-resource:v1.2@${digest}`,
    via: evidence.via,
    pinned: true,
    observedAt: evidence.observedAt,
    ageMs: 41_000,
    evidence,
    rejected: [],
    ...changes,
  };
}

function unpinned(via: ResolvedVersion["via"], rejected: ResolvedVersion["rejected"]): ResolvedVersion {
  const reference = "registry.example.com/my-resource:v1.2";
  return { version: { tag: "v1.2" }, reference, via, pinned: false, rejected };
}

function row(resolved: ResolvedVersion, changes: Partial<BuildImageRow> = {}): BuildImageRow {
  const evidence = JSON.parse(JSON.stringify(resolved));
  return { buildId: "123", fetchId: "T/image-get", name: "image", type: "registry-image", evidence, ...changes };
}

describe("an explanation", () => {
  test("lists the candidates in order, those behind the taken one too", () => {
    const rejected = [
      { candidate: "scope v1.2@sha256:00", reason: "observed 6m ago, older than the interval of 5m" },
      { candidate: "plan tag v1.1", reason: "the check gave a digest, which comes first" },
    ];
    const { candidates } = explainVersion(byCheck(head, { rejected }), image);
    expect(candidates.map(({ candidate, taken }) => [candidate, taken])).toEqual([
      ["scope v1.2@sha256:00", false],
      [`check v1.2@${digest}`, true],
      ["plan tag v1.1", false],
      ["source tag, else latest", false],
    ]);
    expect(candidates[0]?.reason).toBe("observed 6m ago, older than the interval of 5m");
  });

  test("puts what led to an unpinned version before it", () => {
    const rejected = [
      { candidate: "check tag v1.2", reason: "it has no digest" },
      { candidate: "plan (empty)", reason: "it has neither digest nor tag" },
    ];
    const { candidates, digestKnown, because } = explainVersion(unpinned("tag", rejected), image);
    expect(candidates.map(({ candidate }) => candidate)).toEqual(["check tag v1.2", "plan (empty)", "source tag v1.2"]);
    expect(digestKnown).toBe(false);
    expect(because).toBe("nobody knew a digest, so the source's tag v1.2 stands");
  });

  test("has exactly one candidate taken, and a reason of its own, for every way to choose", () => {
    const asker = { buildId: "7", fetchId: "3/image-get" };
    const error = { code: "FI_REGISTRY_UNAVAILABLE", message: "registry.example.com answered 503" };
    const failing = { because: "failing", boundMs: 3_600_000, until: "2026-11-22T04:40:08.000Z", error };
    const all = [
      byCheck(head),
      byCheck({ ...head, via: "GET" }),
      byCheck({ ...head, via: "fresh", asker }),
      byCheck({ ...head, via: "joined", asker }),
      byCheck({ via: "step", observedAt }),
      byCheck({ ...head, among: { by: "semver", listed: 5000, candidates: 212, asked: 3 } }),
      byCheck({ ...head, via: "GET", among: { by: "tag_regex", listed: 1, candidates: 1, asked: 1 } }),
      byCheck({ ...head, via: "stale-served", asker, stale: { because: "budget", boundMs: 3_600_000 } }),
      byCheck({
        via: "stale-served",
        observedAt,
        host: "registry.example.com",
        stale: { because: "retry-after", boundMs: 3_600_000, until: "2026-11-22T05:00:00.000Z" },
      }),
      byCheck({ ...head, via: "stale-served", asker, stale: failing }),
      byCheck({ ...head, via: "stale-served", asker, stale: { because: "revalidating", boundMs: 120_000 } }),
      unpinned("pin", []),
      unpinned("plan", []),
      unpinned("tag", []),
      unpinned("latest", []),
    ].map((resolved) => explainVersion(resolved, image));
    for (const { candidates } of all) expect(candidates.filter(({ taken }) => taken)).toHaveLength(1);
    expect(all.map(({ because }) => because)).toMatchInlineSnapshot(`
      [
        "registry.example.com answered a HEAD request with 200 and this digest",
        "registry.example.com answered a GET request with 200, and the manifest hashes to this digest",
        "build 7 (3/image-get) observed it 41s before, so the registry was not asked again",
        "build 7 (3/image-get) was asking the same, and its answer was taken",
        "the check step gave it",
        "5,000 tags listed, 212 candidates, newest by semver is v1.2: registry.example.com answered a HEAD request with 200 and this digest",
        "1 tag listed, 1 candidate, newest by tag_regex is v1.2: registry.example.com answered a GET request with 200, and the manifest hashes to this digest",
        "build 7 (3/image-get) observed it 41s before, and nobody was asked again: to spare registry.example.com, 76 of 100 requests left per 6h",
        "another fetch observed it 41s before, and nobody was asked again: registry.example.com asked for a pause until 2026-11-22T05:00:00.000Z",
        "build 7 (3/image-get) observed it 41s before, and there is no newer answer: registry.example.com answered 503 (FI_REGISTRY_UNAVAILABLE), and nobody asks again until 2026-11-22T04:40:08.000Z",
        "build 7 (3/image-get) observed it 41s before, and it is taken at once: a check runs beside the fetch, for those who come after",
        "the pipeline pins it, so nobody was asked",
        "the check gave no digest, so the version of the get plan stands",
        "nobody knew a digest, so the source's tag v1.2 stands",
        "nobody knew a digest, and the source has no tag",
      ]
    `);
    expect(new Set(all.map(({ because }) => because)).size).toBe(all.length);
  });

  test("says pinned of what the pipeline pins alone, however well the digest is known", () => {
    const pin: ResolvedVersion = { version: { tag: "v1.2", digest }, via: "pin", pinned: true, rejected: [] };
    const told = [pin, byCheck(head), unpinned("pin", []), unpinned("latest", [])].map((resolved) => {
      const { pinned, digestKnown, evidence } = explainVersion(resolved, image);
      const [, line] = evidence;
      return [pinned, digestKnown, line?.value];
    });
    expect(told).toEqual([
      [true, true, "yes, by the pipeline"],
      [false, true, "no"],
      [true, false, "yes, by the pipeline"],
      [false, false, "no"],
    ]);
  });

  test("of another type's image tells the version, and no tags", () => {
    const resolved = { version: { ref: "ab12", branch: "main" }, via: "pin", pinned: true, rejected: [] } as const;
    const { chosen, candidates } = explainVersion(resolved, { type: "git" });
    expect(chosen).toBe("branch main, ref ab12");
    expect(candidates.map(({ candidate }) => candidate)).toEqual(["check", "plan branch main, ref ab12"]);
  });

  test("says who asked, be it anonymously, and leaves out what was not stored", () => {
    const { evidence } = explainVersion(byCheck({ via: "step", observedAt, credential: null }), image);
    expect(evidence.map(({ name }) => name)).toEqual(["via", "pinned", "observed", "credential"]);
    expect(evidence.at(-1)?.value).toBe("anonymous");
  });
});

describe("why a build has its image", () => {
  test("is told from the read model's row alone, with all the evidence", () => {
    const rejected = [{ candidate: "scope v1.2@sha256:00", reason: "observed 6m ago, older than the interval of 5m" }];
    const imageURL = `docker:///registry.example.com/my-resource:v1.2@${digest}`;
    expect(renderExplanation(row(byCheck(head, { rejected, ageMs: 0 }), { state: "short-circuited", imageURL })))
      .toMatchInlineSnapshot(`
        "build 123, image T/image-get: image (registry-image)

        registry.example.com/my-resource:v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
        because registry.example.com answered a HEAD request with 200 and this digest

        candidates, in order
          not taken  scope v1.2@sha256:00: observed 6m ago, older than the interval of 5m
          taken      check v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f: registry.example.com answered a HEAD request with 200 and this digest
          not taken  source tag, else latest: only where nobody knows a digest

        evidence
          via         HEAD
          pinned      no
          host        registry.example.com
          status      200
          observed    2026-11-22T04:40:00.300Z, 0ms before it was used
          credential  c0ffee
          rate limit  76 of 100 requests left per 6h

        short-circuited: docker:///registry.example.com/my-resource:v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
        "
      `);
  });

  test("names whose check was joined", () => {
    const asker = { buildId: "7", fetchId: "3/image-get" };
    const text = renderExplanation(row(byCheck({ ...head, via: "joined", asker })));
    expect(text).toContain("  joined      build 7 (3/image-get)\n");
  });

  test("warns of an unpinned image", () => {
    expect(renderExplanation(row(unpinned("latest", [])))).toContain("\nwarning: no digest: ");
  });

  test("is that no version was chosen, where the fetch failed before, with the failure and its hint", () => {
    const failure = {
      code: "FI_CHECK_FAILED",
      message: "image check failed: 401",
      hint: "Give `username`.",
      retryable: false,
    };
    const failed: BuildImageRow = { buildId: "123", fetchId: "T/image-get", state: "failed", failure };
    expect(explainImage(failed)).toBeUndefined();
    expect(renderExplanation(failed)).toMatchInlineSnapshot(`
      "build 123, image T/image-get

      no version was chosen

      failed: image check failed: 401 (FI_CHECK_FAILED)
      hint: Give \`username\`.
      "
    `);
  });

  test("has the same text with colours as without, and spells out what a terminal would obey", () => {
    const evil = "\u001b[2J\n";
    const text = row(
      byCheck({ ...head, host: evil, credential: evil }, { version: { digest, [evil]: evil }, reference: evil }),
      {
        name: evil,
        state: evil,
        failure: { code: evil, message: evil, hint: evil },
      },
    );
    const plain = renderExplanation(text);
    const coloured = renderExplanation(text, { color: true });
    // oxlint-disable-next-line no-control-regex -- what must not be there
    expect(plain).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    expect(coloured).not.toBe(plain);
    // oxlint-disable-next-line no-control-regex -- the colours' own sequences
    expect(coloured.replaceAll(/\u001b\[\d+m/g, "")).toBe(plain);
  });

  test("is refused where the row was changed from outside, naming the field", () => {
    const changed = row(byCheck(head), { evidence: { via: "HEAD" } });
    expect(() => renderExplanation(changed)).toThrow(
      expect.objectContaining({
        code: "FI_FACT_UNREADABLE",
        details: { build: "123", fetch: "T/image-get", field: "version" },
      }),
    );
  });
});
