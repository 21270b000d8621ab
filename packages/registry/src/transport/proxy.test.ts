import { describe, expect, test } from "vitest";
import { proxyFor } from "./proxy.ts";

const proxies = { httpProxy: "http://plain:3128", httpsProxy: "secure:3129" };

function asked(url: string, noProxy = ""): string | undefined {
  return proxyFor(new URL(url), { ...proxies, noProxy });
}

describe("proxyFor", () => {
  test("takes each scheme's own proxy, and none for a scheme that has none", () => {
    expect(asked("https://ghcr.io")).toBe("http://secure:3129");
    expect(asked("http://ghcr.io")).toBe("http://plain:3128");
    expect(proxyFor(new URL("https://ghcr.io"), { httpProxy: "http://plain:3128" })).toBeUndefined();
  });

  test("never sends loopback through a proxy", () => {
    for (const url of ["http://127.0.0.1:5000", "http://localhost:5000", "https://[::1]:5000"]) {
      expect(asked(url)).toBeUndefined();
    }
  });

  test("never asks a cloud's metadata service by way of another machine, which would get its own identity", () => {
    for (const url of ["http://169.254.169.254/latest", "http://169.254.170.2", "http://[fd00:ec2::254]/"]) {
      expect(asked(url)).toBeUndefined();
    }
  });

  test.each([
    ["*", "https://ghcr.io"],
    ["ghcr.io", "https://ghcr.io"],
    ["ghcr.io", "https://eu.ghcr.io"],
    ["GHCR.IO", "https://ghcr.io:8443"],
    [".ghcr.io", "https://eu.ghcr.io"],
    ["*.svc", "https://registry.svc"],
    ["other, registry.svc:5000", "https://registry.svc:5000"],
    ["ghcr.io:443", "https://ghcr.io"],
    ["10.1.2.3", "https://10.1.2.3:5000"],
    ["10.0.0.0/8", "https://10.1.2.3:5000"],
    ["fd00::/8", "https://[fd00::1]:5000"],
    ["[fd00::1]", "https://[fd00::1]:5000"],
  ])("NO_PROXY=%s exempts %s", (noProxy, url) => {
    expect(asked(url, noProxy)).toBeUndefined();
  });

  test.each([
    ["ghcr.io", "https://notghcr.io"],
    [".ghcr.io", "https://ghcr.io"],
    ["ghcr.io:80", "https://ghcr.io"],
    ["10.0.0.0/8", "https://11.1.2.3"],
    ["10.0.0.0/33", "https://10.1.2.3"],
    ["10.0.0.0/", "https://10.1.2.3"],
    ["0.0.0.0/0", "https://ghcr.io"],
    ["1.2.3", "https://10.1.2.3"],
    ["fd00::/8", "https://10.1.2.3"],
  ])("NO_PROXY=%s does not exempt %s", (noProxy, url) => {
    expect(asked(url, noProxy)).toBe("http://secure:3129");
  });
});
