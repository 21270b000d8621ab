import { FetchImageError } from "@fetch-image/core";
import { describe, expect, test } from "vitest";
import type { Descriptor, Platform } from "./manifest.ts";
import { completePlatform, pickPlatform, platformText } from "./platform.ts";

function entry(name: string, platform?: Platform): Descriptor {
  const digest = `sha256:${Buffer.from(name).toString("hex").padEnd(64, "0").slice(0, 64)}` as const;
  return {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest,
    size: 1,
    ...(platform ? { platform } : {}),
  };
}

const amd64 = entry("amd64", { os: "linux", architecture: "amd64" });
const armV7 = entry("v7", { os: "linux", architecture: "arm", variant: "v7" });
const armV6 = entry("v6", { os: "linux", architecture: "arm", variant: "v6" });
const attestation = entry("sbom", { os: "unknown", architecture: "unknown" });
const index = [attestation, armV7, armV6, amd64];

describe("pickPlatform", () => {
  test("takes the first that fits, a variant counting only when one is wanted", () => {
    expect(pickPlatform(index, { os: "linux", architecture: "amd64" }, "app")).toBe(amd64);
    expect(pickPlatform(index, { os: "linux", architecture: "arm" }, "app")).toBe(armV7);
    expect(pickPlatform(index, { os: "linux", architecture: "arm", variant: "v6" }, "app")).toBe(armV6);
  });

  test("takes an entry that names no platform for linux/amd64", () => {
    const unnamed = entry("unnamed");
    expect(pickPlatform([armV7, unnamed], { os: "linux", architecture: "amd64" }, "app")).toBe(unnamed);
  });

  test("names the platforms there are when none fits", () => {
    const pick = (): unknown => pickPlatform(index, { os: "linux", architecture: "s390x" }, "acme/app@sha256:…");
    expect(pick).toThrow(FetchImageError);
    expect(pick).toThrow(
      "acme/app@sha256:… is not built for linux/s390x; it is for unknown/unknown, linux/arm/v7, linux/arm/v6, linux/amd64",
    );
  });
});

test("what a source leaves out of its platform is linux, on this machine's processor", () => {
  const here = completePlatform();
  expect(here.os).toBe("linux");
  expect(here.architecture).not.toBe("x64");
  expect(completePlatform({ architecture: "riscv64" })).toEqual({ os: "linux", architecture: "riscv64" });
  expect(platformText(completePlatform({ os: "windows", architecture: "arm64", variant: "v8" }))).toBe(
    "windows/arm64/v8",
  );
});
