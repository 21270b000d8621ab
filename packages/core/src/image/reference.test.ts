import { describe, expect, test } from "vitest";
import { FetchImageError } from "../errors/fetch-image-error.ts";
import { apiHost, formatReference, image, type ImageReference, parseReference, withVersion } from "./reference.ts";

const hex = "0123456789abcdef".repeat(4);
const sha256 = `sha256:${hex}`;
const sha512 = `sha512:${hex}${hex}`;

describe("every form of the grammar is read", () => {
  const valid: readonly (readonly [text: string, canonical: string, familiar: string])[] = [
    ["busybox", "docker.io/library/busybox:latest", "busybox"],
    ["busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"],
    ["busybox:latest", "docker.io/library/busybox:latest", "busybox:latest"],
    [`busybox@${sha256}`, `docker.io/library/busybox@${sha256}`, `busybox@${sha256}`],
    [`busybox:1.36@${sha256}`, `docker.io/library/busybox:1.36@${sha256}`, `busybox:1.36@${sha256}`],
    [`busybox@${sha512}`, `docker.io/library/busybox@${sha512}`, `busybox@${sha512}`],
    ["foo/bar", "docker.io/foo/bar:latest", "foo/bar"],
    ["library/busybox", "docker.io/library/busybox:latest", "busybox"],
    ["library/a/b", "docker.io/library/a/b:latest", "library/a/b"],
    ["docker.io/busybox", "docker.io/library/busybox:latest", "busybox"],
    ["docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox"],
    ["index.docker.io/busybox:1", "docker.io/library/busybox:1", "busybox:1"],
    ["index.docker.io/acme/app", "docker.io/acme/app:latest", "acme/app"],
    ["registry-1.docker.io/acme/app", "registry-1.docker.io/acme/app:latest", "registry-1.docker.io/acme/app"],
    ["docker.io:443/acme/app", "docker.io:443/acme/app:latest", "docker.io:443/acme/app"],
    ["ghcr.io/acme/app:1.4", "ghcr.io/acme/app:1.4", "ghcr.io/acme/app:1.4"],
    ["ghcr.io/app", "ghcr.io/app:latest", "ghcr.io/app"],
    ["localhost/app", "localhost/app:latest", "localhost/app"],
    ["localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"],
    ["localhost:5000/app:1", "localhost:5000/app:1", "localhost:5000/app:1"],
    ["registry:5000/app", "registry:5000/app:latest", "registry:5000/app"],
    ["127.0.0.1:5101/app", "127.0.0.1:5101/app:latest", "127.0.0.1:5101/app"],
    ["[::1]/app", "[::1]/app:latest", "[::1]/app"],
    ["[2001:db8::C0FE]:5000/app:1", "[2001:db8::C0FE]:5000/app:1", "[2001:db8::C0FE]:5000/app:1"],
    ["Registry.Example.COM/app", "Registry.Example.COM/app:latest", "Registry.Example.COM/app"],
    ["xn--n3h.com/app", "xn--n3h.com/app:latest", "xn--n3h.com/app"],
    ["a-b.c/app", "a-b.c/app:latest", "a-b.c/app"],
    ["reg.io:1/app", "reg.io:1/app:latest", "reg.io:1/app"],
    ["reg.io:65535/app", "reg.io:65535/app:latest", "reg.io:65535/app"],
    ["x/a.b_c__d-e---f/g", "docker.io/x/a.b_c__d-e---f/g:latest", "x/a.b_c__d-e---f/g"],
    ["0/9", "docker.io/0/9:latest", "0/9"],
    ["busybox:_", "docker.io/library/busybox:_", "busybox:_"],
    ["busybox:V1.2-rc.1_x", "docker.io/library/busybox:V1.2-rc.1_x", "busybox:V1.2-rc.1_x"],
    [`busybox:${"t".repeat(128)}`, `docker.io/library/busybox:${"t".repeat(128)}`, `busybox:${"t".repeat(128)}`],
    [`${hex}:1`, `docker.io/library/${hex}:1`, `docker.io/library/${hex}:1`],
    [`docker.io/library/${hex}`, `docker.io/library/${hex}:latest`, `docker.io/library/${hex}`],
    ["docker.io/foo.bar/baz", "docker.io/foo.bar/baz:latest", "docker.io/foo.bar/baz"],
    ["docker.io/localhost/baz", "docker.io/localhost/baz:latest", "docker.io/localhost/baz"],
    ["docker.io/library/foo.bar", "docker.io/library/foo.bar:latest", "foo.bar"],
  ];
  test.each(valid.map(titled))("%s", (_, text, canonical, familiar) => {
    const reference = read(text);
    expect(reference.canonical).toBe(canonical);
    expect(reference.familiar).toBe(familiar);
    expect(reference.text).toBe(text);
    expect(reference.toString()).toBe(text);
    expect(read(familiar).canonical).toBe(canonical);
    expect(read(canonical).canonical).toBe(canonical);
  });
});

describe("what is not a reference is refused, with what is wrong and where", () => {
  const invalid: readonly (readonly [text: string, says: string, position: number])[] = [
    ["", "is empty", 1],
    [" busybox", "a space", 1],
    ["busybox ", "a space", 8],
    ["busybox\n", "U+000A", 8],
    ["b\u0000x", "U+0000", 2],
    ["büsybox", `"ü" (U+00FC)`, 2],
    ["bus\u{1f4a5}", "U+1F4A5", 4],
    ["\ud800busybox", "U+D800", 1],
    ["((repository))", `"("`, 1],
    ["Foo/bar", `not in lower case: it holds "F"`, 1],
    ["BUSYBOX", `not in lower case: it holds "B"`, 1],
    ["Localhost/bar", `not in lower case: it holds "L"`, 1],
    ["ghcr.io/acme/App", `not in lower case: it holds "A"`, 14],
    ["a//b", "an empty part", 3],
    ["/a", "an empty part", 1],
    ["a/", "an empty part", 3],
    ["ghcr.io/", "an empty part", 9],
    ["-a", `begins with "-"`, 1],
    ["x/.a", `begins with "."`, 3],
    ["a_", `ends with "_"`, 2],
    ["a___b", "a separator other than", 2],
    ["a..b", "a separator other than", 2],
    ["a_-b", "a separator other than", 2],
    ["busybox:", "the tag is empty", 9],
    ["busybox:.1", `the tag begins with "."`, 9],
    ["busybox:-1", `the tag begins with "-"`, 9],
    ["busybox:1:2", `the tag holds ":"`, 10],
    ["busybox:1+2", `"+"`, 10],
    [`busybox:${"t".repeat(129)}`, "the tag has 129 characters, more than 128", 137],
    ["busybox@", "neither", 9],
    ["busybox@latest", "neither", 9],
    [`busybox@md5:${hex.slice(32)}`, "neither", 9],
    [`busybox@SHA256:${hex}`, "neither", 9],
    [`busybox@sha256:${hex.slice(1)}`, "63 hex digits; sha256 has exactly 64", 79],
    [`busybox@sha256:${hex}0`, "65 hex digits; sha256 has exactly 64", 81],
    [`busybox@sha512:${hex}`, "64 hex digits; sha512 has exactly 128", 80],
    [`busybox@sha256:${hex.toUpperCase()}`, `lower-case hex digits: it holds "A"`, 26],
    [`busybox@${sha256}@${sha256}`, `lower-case hex digits: it holds "@"`, 80],
    [hex, "64 hex digits are an image's id", 1],
    ["reg.io:/a", "not a port of digits", 7],
    ["reg.io:50a/a", "not a port of digits", 7],
    ["reg.io:1:2/a", "not a port of digits", 7],
    ["reg.io:0/a", "not between 1 and 65535", 8],
    ["reg.io:65536/a", "not between 1 and 65535", 8],
    ["my_reg.io/a", `host holds "_"`, 3],
    ["-reg.io/a", `begins with "-"`, 1],
    ["reg-.io/a", `ends with "-"`, 4],
    ["reg..io/a", "an empty part", 5],
    [".io/a", "an empty part", 1],
    [":5000/a", "an empty part", 1],
    ["[::1]", "the path after the registry is missing", 6],
    ["[::1]:5000", "the path after the registry is missing", 11],
    ["[fe80::1%eth0]/a", `"%"`, 9],
    ["[::1/a", `host holds "["`, 1],
    ["a].b/a", `host holds "]"`, 2],
    ["a]:1/a", `host holds "]"`, 2],
    ["[x.y]/a", `host holds "["`, 1],
    ["[]:1/a", `host holds "["`, 1],
    ["[]/a", `the path holds "["`, 1],
    ["[::1]x/a", "not a port of digits", 6],
    ["https://ghcr.io/acme/app", "has no scheme", 6],
    ["docker:///busybox", "has no scheme", 7],
    [`ghcr.io/${"x".repeat(248)}`, "have 256 characters, more than 255", 256],
    ["x".repeat(300), "have 318 characters, more than 255", 300],
    ["x".repeat(521), "it has 521 characters, and no reference has more than 520", 521],
    ["x".repeat(65_536), "it has 65536 characters, and no reference has more than 520", 521],
  ];
  test.each(invalid.map(titled))("%j", (_, text, says, position) => {
    const error = refuse(text);
    expect(error.code).toBe("FI_REFERENCE_INVALID");
    expect(error.message).toContain(says);
    expect(error.message).toContain(`(at character ${position})`);
    expect(error.details["position"]).toBe(position);
    expect(error.message.length).toBeLessThan(300);
  });
});

test("a reference may be exactly as long as its parts allow", () => {
  const longest = `ghcr.io/${"x".repeat(247)}:${"t".repeat(128)}@${sha512}`;
  expect(longest).toHaveLength(520);
  expect(read(longest).canonical).toBe(longest);
});

test("the hint for a capital says that only hosts may have them", () => {
  expect(refuse("Foo/bar").hint).toMatch(/lower case.*host/);
});

describe("an error never shows a secret that was pasted into a reference", () => {
  const secret = "hunter2CANARY";
  const leaks: readonly string[] = [
    `https://me:${secret}@reg.example/v2/?sig=${secret}`,
    `https://reg.example/v2/?sig=${secret}`,
    `me:${secret}@ghcr.io/acme/app:1`,
    `${secret}@ghcr.io/acme/app`,
    `${secret}@ghcr.io`,
    `me:${secret}@ghcr.io`,
    `me:${secret}@localhost`,
    `me:${secret}@ghcr.io/acme/app@${sha256}`,
    `me:a@${secret}@ghcr.io/acme/app`,
    `me:a/${secret}?@ghcr.io/acme/app`,
    `ghcr.io/acme/app#${secret}`,
    `ghcr.io/acme/app token=${secret}`,
    "dckr_pat_hunter2CANARYhunter2CANARY",
    `${"x".repeat(70_000)}:${secret}@ghcr.io/a`,
    `me:${secret}@${"x".repeat(70_000)}/a`,
  ];
  test.each(leaks.map((text) => titled([text])))("%s", (_, text) => {
    const error = refuse(text);
    expect(`${error.stack}${JSON.stringify(error)}${error.hint}`).not.toMatch(/hunter2|CANARY/);
  });
});

test("a slip of the pen is shown as it was written", () => {
  expect(refuse("busybox@latest").message).toContain(`"busybox@latest"`);
  expect(refuse(`busybox:1@sha256:${hex.slice(1)}`).message).toContain(`"busybox:1@sha256:${hex.slice(1)}"`);
});

test("a parsed reference survives JSON with its parts only", () => {
  expect(JSON.parse(JSON.stringify(read("busybox")))).toEqual({
    text: "busybox",
    domain: "docker.io",
    path: "library/busybox",
    familiar: "busybox",
    canonical: "docker.io/library/busybox:latest",
  });
  expect(Object.keys(read("busybox"))).not.toContain("tag");
});

test("formatting writes exactly the parts that are there", () => {
  const name = { domain: "ghcr.io", path: "acme/app" };
  expect(formatReference(name)).toBe("ghcr.io/acme/app");
  expect(formatReference({ ...name, tag: "1" })).toBe("ghcr.io/acme/app:1");
  expect(formatReference({ ...name, digest: `sha256:${hex}` })).toBe(`ghcr.io/acme/app@${sha256}`);
  expect(formatReference({ ...name, tag: "1", digest: `sha256:${hex}` })).toBe(`ghcr.io/acme/app:1@${sha256}`);
});

test("a repository at a version is what a kubelet pulls", () => {
  expect(withVersion("ghcr.io/acme/app", { tag: "v1.2", digest: sha256 })).toBe(`ghcr.io/acme/app:v1.2@${sha256}`);
  expect(withVersion("ghcr.io/acme/app", { digest: sha256 })).toBe(`ghcr.io/acme/app@${sha256}`);
  expect(withVersion("ghcr.io/acme/app", { tag: "v1.2" })).toBe("ghcr.io/acme/app:v1.2");
  expect(withVersion("ghcr.io/acme/app", {})).toBe("ghcr.io/acme/app");
});

test("only Docker Hub's registry answers at another host than its name", () => {
  expect(apiHost("docker.io")).toBe("registry-1.docker.io");
  expect(apiHost("index.docker.io")).toBe("registry-1.docker.io");
  expect(apiHost("ghcr.io")).toBe("ghcr.io");
  expect(apiHost("localhost:5000")).toBe("localhost:5000");
});

describe("the image tag", () => {
  test("reads a literal", () => {
    expect(image`ghcr.io/acme/app:1.4`.canonical).toBe("ghcr.io/acme/app:1.4");
  });

  test("throws the one error class for a wrong literal", () => {
    expect(() => image`Foo/bar`).toThrow(FetchImageError);
  });

  test("does not compile with a value in it, and throws where nobody compiles", () => {
    const tag = "1.4";
    // @ts-expect-error a template with values has more arguments than the tag takes
    expect(() => image`ghcr.io/acme/app${tag}`).toThrow(FetchImageError);
  });
});

/** A row behind a title of its text that fits on a line. */
function titled<Row extends readonly [text: string, ...rest: unknown[]]>(row: Row): [title: string, ...Row] {
  return [row[0].length > 80 ? `${row[0].slice(0, 60)}… (${row[0].length})` : row[0], ...row];
}

function read(text: string): ImageReference {
  const parsed = parseReference(text);
  if (!parsed.ok) throw parsed.error;
  return parsed.reference;
}

function refuse(text: string): FetchImageError {
  const parsed = parseReference(text);
  if (parsed.ok) throw new Error(`${text} was taken for ${parsed.reference.canonical}`);
  return parsed.error;
}
