import { type ContainerLimits, type Json, showText } from "@fetch-image/core";
import type { Resources } from "./manifests.ts";
import { podInvalid } from "./pod-invalid.ts";

/**
 * Concourse's `container_limits`. Its CPU is shares, a weight and no ceiling: a request, which the kubelet turns into the
 * same shares (1024 for a whole CPU). Its memory is a ceiling: a limit, and the request too, so that the scheduler finds
 * room for it. 0 means none, as in Concourse. Throws `FI_POD_INVALID`.
 */
export function resourcesOf(step: string, limits: ContainerLimits = {}): Resources | undefined {
  const shares = sharesOf(step, limits.cpu);
  const memory = bytesOf(step, limits.memory);
  if (shares === 0n && memory === 0n) return undefined;
  const cpu = (shares * 1000n + 1023n) / 1024n;
  const bytes = memory === 0n ? {} : { memory: String(memory) };
  return {
    requests: { ...(shares === 0n ? {} : { cpu: `${cpu}m` }), ...bytes },
    ...(memory === 0n ? {} : { limits: bytes }),
  };
}

function sharesOf(step: string, cpu: Json | undefined): bigint {
  const text = numberText(cpu);
  if (text !== undefined && /^\d{1,15}$/.test(text)) return BigInt(text);
  throw podInvalid(
    step,
    `container_limits.cpu ${show(cpu)} is no number of shares`,
    "Give a whole number: 1024 shares weigh as much as one CPU.",
  );
}

/** Upstream: atc/container_limits.go, whose units are powers of 1024. */
function bytesOf(step: string, memory: Json | undefined): bigint {
  const [, digits, unit] = /^(\d{1,15})([KMG]?)B?$/i.exec(numberText(memory) ?? "") ?? [];
  const bytes = BigInt(digits ?? 0) * 1024n ** BigInt(["", "k", "m", "g"].indexOf(unit?.toLowerCase() ?? ""));
  if (digits !== undefined && bytes < 2n ** 63n) return bytes;
  throw podInvalid(
    step,
    `container_limits.memory ${show(memory)} is no amount of memory`,
    "Give bytes, or a number with KB, MB or GB: 512MB.",
  );
}

function numberText(value: Json | undefined): string | undefined {
  if (value === undefined || value === null) return "0";
  return typeof value === "string" || typeof value === "number" ? String(value).trim() : undefined;
}

function show(value: Json | undefined): string {
  return showText(typeof value === "string" ? value : JSON.stringify(value));
}
