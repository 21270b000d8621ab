import { describe, expect, test, vi } from "vitest";
import { defaultLimits, defaultTimeouts, registrySettings } from "./settings.ts";

describe("registrySettings", () => {
  test("fills in the defaults", () => {
    const settings = registrySettings({ timeouts: { connectMs: 5 } });
    expect(settings.timeouts).toEqual({ ...defaultTimeouts, connectMs: 5 });
    expect(settings.limits).toEqual(defaultLimits);
  });

  test.each([
    [{ timeouts: { connectMs: 0 } }, "timeouts.connectMs"],
    [{ limits: { redirects: 1.5 } }, "limits.redirects"],
    [{ limits: { manifestBytes: Number.NaN } }, "limits.manifestBytes"],
    [{ allowedRealms: ["https://ok.example", "https://host/path"] }, "allowedRealms[1]"],
    [{ allowedRealms: ["https://alice:hunter2@host"] }, "allowedRealms[0]"],
    [{ allowedRealms: ["ftp://host"] }, "allowedRealms[0]"],
    [{ proxy: { httpsProxy: "http://alice:hunter2@:x" } }, "HTTPS_PROXY"],
    [{ proxy: { httpProxy: "socks5://hunter2@proxy" } }, "HTTP_PROXY"],
    [{ endpoints: { "docker.io": "not a host" } }, 'endpoints["docker.io"]'],
  ])("refuses %j by name, without repeating what may be a secret", (options, name) => {
    expect(() => registrySettings(options)).toThrow(expect.objectContaining({ code: "FI_SETTING_INVALID" }));
    expect(() => registrySettings(options)).toThrow(name);
    expect(() => registrySettings(options)).not.toThrow("hunter2");
  });

  test("reads a bare host as https", () => {
    const settings = registrySettings({ allowedRealms: ["Auth.Internal:8443"], endpoints: { "docker.io": "mirror" } });
    expect([...settings.allowedOrigins]).toEqual(["https://auth.internal:8443"]);
    expect(settings.endpoints.get("docker.io")?.origin).toBe("https://mirror");
  });

  test("takes proxies from the environment, in lower case first, unless they are given", () => {
    vi.stubEnv("https_proxy", "http://lower:1");
    vi.stubEnv("HTTPS_PROXY", "http://upper:1");
    vi.stubEnv("NO_PROXY", "internal");
    try {
      expect(registrySettings({}).proxy).toMatchObject({ httpsProxy: "http://lower:1", noProxy: "internal" });
      expect(registrySettings({ proxy: {} }).proxy).toEqual({});
    } finally {
      vi.unstubAllEnvs();
    }
  });
});
