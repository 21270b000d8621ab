import { FetchImageError } from "@fetch-image/core";
import { describe, expect, test } from "vitest";
import { createGuard } from "./guard.ts";

const hub = new URL("https://registry-1.docker.io");
const guard = createGuard(new Set(["https://10.0.0.7:8443", "http://auth.internal"]));

function refusalOf(to: string, registry: URL): FetchImageError | undefined {
  try {
    guard(new URL(to), registry, "token server");
    return undefined;
  } catch (error) {
    if (FetchImageError.is(error) && error.code === "FI_REGISTRY_UNTRUSTED") return error;
    throw error;
  }
}

function verdict(to: string, registry: URL = hub): string {
  return refusalOf(to, registry)?.message ?? "allowed";
}

describe("the guard", () => {
  test("lets a registry name any server on https that is not inside", () => {
    expect(verdict("https://auth.docker.io/token")).toBe("allowed");
  });

  test.each([
    ["http://auth.docker.io/token", "is not on https"],
    ["https://127.0.0.1:8443/token", "is on a private address"],
    ["https://169.254.169.254/latest/meta-data", "is on a private address"],
    ["https://[::ffff:10.0.0.1]/token", "is on a private address"],
    ["https://localhost/token", "is on a private address"],
    ["https://alice:s3cret@auth.docker.io/token", "has credentials in its URL"],
    ["file:///etc/passwd", "is not on http"],
    ["data:application/json,{}", "is not on http"],
  ])("refuses %s", (to, why) => {
    expect(verdict(to)).toContain(why);
  });

  test("shows neither credentials nor query of what it refuses", () => {
    expect(verdict("https://alice:s3cret@127.0.0.1/token?sig=abc")).not.toMatch(/alice|s3cret|abc/);
  });

  test("lets a registry on a private address name itself, and only at its own port", () => {
    const inside = new URL("http://192.168.1.5:5000");
    expect(verdict("http://192.168.1.5:5000/token", inside)).toBe("allowed");
    expect(verdict("http://192.168.1.5:5001/token", inside)).toContain("is on a private address");
    expect(verdict("http://auth.example.com/token", inside)).toBe("allowed");
  });

  test("lets pass what the settings allow, by origin", () => {
    expect(verdict("https://10.0.0.7:8443/token")).toBe("allowed");
    expect(verdict("http://auth.internal/token")).toBe("allowed");
    expect(verdict("https://10.0.0.7/token")).toContain("is on a private address");
  });

  test("says how to allow it", () => {
    expect(refusalOf("https://10.1.1.1/x", hub)?.hint).toContain('"https://10.1.1.1" to allowedRealms');
  });
});
