import {
  apiHost,
  type FetchImageError,
  formatReference,
  parseReference,
  type ImageReference,
  type ReferenceParts,
} from "@fetch-image/core";
import { tagError } from "@fetch-image/core/registry-image";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seedFromEnv } from "./seed.ts";

const lower = "abcdefghijklmnopqrstuvwxyz0123456789";
const letters = `${lower}ABCDEFGHIJKLMNOPQRSTUVWXYZ`;

describe("of every reference that the grammar makes", () => {
  test("formatting what was parsed, and parsing that, gives the same parts", () => {
    check(
      fc.property(reference(), (text) => {
        const parsed = read(text);
        expect(partsOf(read(formatReference(parsed)))).toEqual(partsOf(parsed));
      }),
    );
  });

  test("a qualified reference is its own format, and parses to the parts it was made of", () => {
    check(
      fc.property(qualifiedParts(), (parts) => {
        const text = formatReference(parts);
        const parsed = read(text);
        expect(partsOf(parsed)).toEqual(parts);
        expect(formatReference(parsed)).toBe(text);
      }),
    );
  });

  test("the canonical form is its own canonical form, and the familiar one means the same image", () => {
    check(
      fc.property(reference(), (text) => {
        const { canonical, familiar } = read(text);
        expect(read(canonical).canonical).toBe(canonical);
        expect(read(familiar).canonical).toBe(canonical);
        expect(read(familiar).familiar).toBe(familiar);
        expect(familiar.length).toBeLessThanOrEqual(canonical.length);
      }),
    );
  });

  test("what the user wrote is kept", () => {
    check(
      fc.property(reference(), (text) => {
        expect(read(text).toString()).toBe(text);
      }),
    );
  });

  test("Docker Hub has one name, and one host that answers for it", () => {
    check(
      fc.property(
        fc.constantFrom("docker.io/", "index.docker.io/", "docker.io/library/", ""),
        component(),
        (hub, name) => {
          const parsed = read(`${hub}${name}:1`);
          expect(parsed.canonical).toBe(`docker.io/library/${name}:1`);
          expect(apiHost(parsed.domain)).toBe("registry-1.docker.io");
        },
      ),
    );
  });

  test("one more character of a kind that no reference holds is refused, wherever it stands", () => {
    const strange = fc.constantFrom(" ", "\n", "\u0000", "%", "(", "\\", "é", "\ud800", "\u{1f4a5}", "$", "~", "'");
    check(
      fc.property(reference(), strange, fc.nat(), (text, character, where) => {
        const at = where % (text.length + 1);
        const error = refuse(text.slice(0, at) + character + text.slice(at));
        expect(error.code).toBe("FI_REFERENCE_INVALID");
      }),
    );
  });
});

describe("whatever the text", () => {
  const anything = fc.oneof(
    fc.string({ maxLength: 600 }),
    fc.string({ unit: "binary", maxLength: 600 }),
    fc.string({ unit: fc.constantFrom(..."aA0._-/:@[]?#=% \u0000\ud800é".split("")), maxLength: 600 }),
    reference(),
  );

  test("parsing never throws, and an error is bounded, printable and points into the text", () => {
    check(
      fc.property(anything, (text) => {
        const parsed = parseReference(text);
        expect(parsed.ok ? [] : complaintsAbout(parsed.error, text)).toEqual([]);
      }),
    );
  });

  test("a text longer than any reference is refused for its length alone, up to 64 KiB and beyond", () => {
    const unit = fc.oneof(
      fc.constantFrom("a", "@", "=", ":", "/", "[", "-", ".", "a-", "a_", "A0z", "@sha256:", "\ud800", "x=y@"),
      fc.string({ minLength: 1, maxLength: 8 }),
    );
    check(
      fc.property(unit, reference(), fc.constantFrom(521, 1_000, 65_536, 131_072), (unit, start, length) => {
        const text = (start + unit.repeat(Math.ceil(length / unit.length))).slice(0, length);
        const error = refuse(text);
        // Had anything in the text been looked at first, something else would have been wrong with it, elsewhere.
        expect(error.message).toContain(`it has ${length} characters, and no reference has more than 520`);
        expect(error.details["position"]).toBe(521);
        expect(complaintsAbout(error, text)).toEqual([]);
      }),
      60,
    );
  });

  test("a repository and a tag are refused as the reference of both is, and for nothing else", () => {
    const repository = fc.oneof(reference(), path(), anything);
    check(
      fc.property(repository, fc.oneof(tag(), anything), (repository, tag) => {
        const both = parseReference(`${repository}:${tag}`);
        const error = tagError(repository, tag);
        expect(error?.message).toBe(both.ok ? undefined : both.error.message);
        expect(error?.details).toEqual(both.ok ? undefined : both.error.details);
      }),
    );
  });

  test("userinfo before a host is never shown", () => {
    const secret = fc.string({
      unit: fc.constantFrom(...`${letters}:/?#=%.+-_`.split("")),
      minLength: 3,
      maxLength: 30,
    });
    check(
      fc.property(secret, qualifiedParts(), fc.boolean(), (secret, parts, scheme) => {
        const canary = `CANARY${secret}CANARY`;
        const error = refuse(`${scheme ? "https://" : ""}me:${canary}@${formatReference(parts)}`);
        expect(`${error.stack}${JSON.stringify(error)}`).not.toContain("CANARY");
      }),
    );
  });
});

function check(property: fc.IProperty<unknown>, numRuns = 300): void {
  fc.assert(property, { seed: seedFromEnv(), numRuns });
}

function complaintsAbout(error: FetchImageError, text: string): string[] {
  const position = Number(error.details["position"]);
  const rules: [kept: boolean, complaint: string][] = [
    [error.code === "FI_REFERENCE_INVALID", "another code"],
    [error.message.length < 300, "too long a message"],
    [!/[\p{Cc}\p{Cs}]/u.test(error.message), "something unprintable in the message"],
    [position >= 1 && position <= text.length + 1, `position ${position}, outside of the text`],
  ];
  return rules.flatMap(([kept, complaint]) => (kept ? [] : [complaint]));
}

function read(text: string): ImageReference {
  const parsed = parseReference(text);
  if (!parsed.ok) throw parsed.error;
  return parsed.reference;
}

function refuse(text: string): FetchImageError {
  const parsed = parseReference(text);
  if (parsed.ok) throw new Error(`${JSON.stringify(text)} was taken for ${parsed.reference.canonical}`);
  return parsed.error;
}

function partsOf({ domain, path, tag, digest }: ReferenceParts): ReferenceParts {
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** `text` as anybody may write one. */
function reference(): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.option(domain(), { nil: undefined }),
      path(),
      fc.option(tag(), { nil: "" }),
      fc.option(digest(), { nil: "" }),
    )
    .map(([domain, path, tag, digest]) => {
      return `${domain === undefined ? "" : `${domain}/`}${path}${tag === "" ? "" : `:${tag}`}${digest === "" ? "" : `@${digest}`}`;
    })
    .filter((text) => !/^[0-9a-f]{64}$/.test(text));
}

/** Parts that normalising leaves alone. */
function qualifiedParts(): fc.Arbitrary<ReferenceParts> {
  return fc
    .record({ domain: domain(), path: path(), tag: tag(), digest: digest() }, { requiredKeys: ["domain", "path"] })
    .filter(({ domain, path }) => domain !== "index.docker.io" && (domain !== "docker.io" || path.includes("/")));
}

function domain(): fc.Arbitrary<string> {
  const label = fc.oneof(
    word(letters, 1, 8),
    fc.tuple(word(letters, 1, 3), word(`${letters}-`, 0, 5), word(letters, 1, 3)).map((parts) => parts.join("")),
  );
  const dotted = fc.array(label, { minLength: 2, maxLength: 4 }).map((labels) => labels.join("."));
  const port = fc.integer({ min: 1, max: 65_535 }).map((port) => `:${port}`);
  const ipv6 = word("0123456789abcdefABCDEF:", 2, 20).map((address) => `[${address}:]`);
  return fc.oneof(
    fc.constantFrom("docker.io", "index.docker.io", "localhost"),
    fc.tuple(fc.oneof(dotted, ipv6), fc.oneof(fc.constant(""), port)).map((parts) => parts.join("")),
    fc.tuple(label, port).map((parts) => parts.join("")),
  );
}

function path(): fc.Arbitrary<string> {
  // A first part with a dot would be a domain; after a domain it is none, which the qualified parts try.
  return fc
    .tuple(component(), fc.array(component(), { maxLength: 3 }))
    .map(([first, rest]) => [rest.length > 0 ? first.replaceAll(".", "-") : first, ...rest].join("/"))
    .filter((path) => !path.startsWith("localhost/"));
}

function component(): fc.Arbitrary<string> {
  const separator = fc.constantFrom(".", "_", "__", "-", "--", "-----");
  return fc
    .tuple(word(lower, 1, 8), fc.array(fc.tuple(separator, word(lower, 1, 6)), { maxLength: 3 }))
    .map(([first, rest]) => first + rest.flat().join(""));
}

function tag(): fc.Arbitrary<string> {
  return fc.tuple(word(`${letters}_`, 1, 1), word(`${letters}_.-`, 0, 127)).map((parts) => parts.join(""));
}

function digest(): fc.Arbitrary<`sha256:${string}` | `sha512:${string}`> {
  const hex = "0123456789abcdef";
  return fc.oneof(
    word(hex, 64, 64).map((digits): `sha256:${string}` => `sha256:${digits}`),
    word(hex, 128, 128).map((digits): `sha512:${string}` => `sha512:${digits}`),
  );
}

function word(alphabet: string, minLength: number, maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...alphabet.split("")), minLength, maxLength });
}
