import { describe, expect, test } from "vitest";
import { catalogue } from "./catalogue.ts";
import { FetchImageError } from "./fetch-image-error.ts";

describe("an error of fetch-image", () => {
  test("says what its catalogue entry says, where nobody can say it better", () => {
    const error = new FetchImageError("FI_STORE_FULL");
    const { says, fix } = catalogue.FI_STORE_FULL;
    expect(error).toMatchObject({ name: "FetchImageError", message: says, hint: fix, retryable: true, details: {} });
    expect("cause" in error).toBe(false);
  });

  test("names its culprit, its own fix and its cause where they are given", () => {
    const cause = new Error("socket hang up");
    const error = new FetchImageError("FI_REGISTRY_UNREACHABLE", {
      message: "registry.test:443 cannot be reached",
      hint: "Set HTTPS_PROXY.",
      retryable: false,
      details: { host: "registry.test", port: undefined },
      cause,
    });
    expect(error).toMatchObject({ message: "registry.test:443 cannot be reached", hint: "Set HTTPS_PROXY.", cause });
    expect(error.toJSON()).toEqual({
      code: "FI_REGISTRY_UNREACHABLE",
      message: "registry.test:443 cannot be reached",
      hint: "Set HTTPS_PROXY.",
      retryable: false,
      details: { host: "registry.test" },
    });
  });

  test("as JSON has details only where there are some, and never its cause or stack", () => {
    const error = new FetchImageError("FI_ABORTED", { cause: new Error("hunter2") });
    expect(Object.keys(error.toJSON())).toEqual(["code", "message", "hint", "retryable"]);
  });

  test("is recognised across copies of the package, which instanceof does not see", () => {
    const ofAnotherCopy = Object.assign(new Error("no"), { [Symbol.for("fetch-image.error")]: true });
    expect(FetchImageError.is(ofAnotherCopy)).toBe(true);
    for (const other of [new Error("no"), "FI_ABORTED", null, undefined, { code: "FI_ABORTED" }]) {
      expect(FetchImageError.is(other)).toBe(false);
    }
  });
});

describe("the catalogue", () => {
  test.each(Object.entries(catalogue))(
    "%s says what is wrong as a clause, and the fix as a sentence",
    (code, entry) => {
      expect(code).toMatch(/^FI_[A-Z]+(?:_[A-Z]+)*$/);
      expect(entry.says).toMatch(/^[^.].*[^.\s]$/);
      expect(entry.fix).toMatch(/^[A-Z].*\.$/);
      expect(Object.keys(entry)).toEqual(["retryable", "says", "fix"]);
    },
  );
});
