// What registries said of their rate limits, as the page plots it.
import { formatTime, type RegistryFact, registryStream, type ScopeFact } from "@fetch-image/core";
import { nodeHash, registryKeyOf } from "@fetch-image/engine";
import type { RegistryAnswer } from "@fetch-image/inspector";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { expect, test } from "vitest";
import { ask } from "../support/event-stream-client.ts";
import { digestA } from "../support/fetch-facts.ts";
import { serveInspector } from "../support/inspector-server.ts";
import { RegistryHistory, ScopeHistory } from "../support/stream-histories.ts";

const asker = { buildId: "123", fetchId: "f1/image-get" };

function claimed(repository: string, until: string): ScopeFact {
  const source = { tag: "v1" };
  const named = { type: "registry-image", repository, tag: "v1", source };
  return { type: "CheckClaimed", data: { scope: "", ...named, credential: null, asker, until } };
}

function observed(host: string): ScopeFact {
  const version = { tag: "v1", digest: digestA };
  return { type: "VersionObserved", data: { version, changed: false, via: "HEAD", host, status: 200, asker } };
}

function limited(host: string, remaining: number): ScopeFact {
  return { type: "RateLimitObserved", data: { host, limit: 100, remaining, windowSeconds: 21_600 } };
}

async function answered(origin: string): Promise<readonly RegistryAnswer[]> {
  const { status, text } = await ask(`${origin}/api/v1/fetch-image/registries`);
  expect(status).toBe(200);
  return JSON.parse(text).registries;
}

test("the budget of a registry is what all scopes heard of it, in the order in which it was said", async () => {
  const eventLog = createMemoryEventLog();
  await using server = await serveInspector({ eventLog });
  expect(await answered(server.origin)).toEqual([]);
  const [one, two, quiet] = ["5c0be1", "5c0be2", "5c0be3"].map((scope) => new ScopeHistory(scope));
  if (one === undefined || two === undefined || quiet === undefined) throw new Error("three scopes were made");
  const host = "registry-1.docker.io";
  const until = formatTime(one.now + 60_000);
  one.append(claimed("docker.io/library/busybox", until)).append(observed(host)).append(limited(host, 90));
  one.wait(2000).append(observed(host)).append(limited(host, 70));
  two.wait(1000).append(claimed("docker.io/library/redis", until)).append(observed(host)).append(limited(host, 80));
  quiet.wait(5000).append(claimed("ghcr.io/acme/app", until)).append(observed("ghcr.io"));
  for (const { scope, facts } of [one, two, quiet]) {
    await eventLog.append(`imageScope-${scope}`, "no-stream", facts as never);
  }
  const at = (ms: number) => formatTime(new ScopeHistory().now + ms);
  expect(await answered(server.origin)).toEqual([
    { host: "ghcr.io", observedAt: at(5000), points: [] },
    {
      host,
      limit: 100,
      remaining: 70,
      windowS: 21_600,
      observedAt: at(2000),
      points: [
        { at: at(0), remaining: 90, limit: 100 },
        { at: at(1000), remaining: 80, limit: 100 },
        { at: at(2000), remaining: 70, limit: 100 },
      ],
    },
  ]);
});

test("a registry that fails says so, and until when nobody asks it", async () => {
  const eventLog = createMemoryEventLog();
  await using server = await serveInspector({ eventLog });
  const scope = new ScopeHistory("5c0be1");
  const now = Date.now();
  scope.now = now;
  const failure = { code: "FI_RATE_LIMITED", message: "registry.test answered 429", retryable: true };
  scope.append(claimed("registry.test/app", formatTime(now))).append({ type: "CheckFailed", data: { failure, asker } });
  await eventLog.append("imageScope-5c0be1", "no-stream", scope.facts as never);
  const registry = new RegistryHistory();
  registry.now = now;
  const host = "registry.test";
  const data = { registry: host, host, credential: null, scope: "5c0be1", asker, askedAt: formatTime(now) };
  const failed: RegistryFact = { type: "RegistryFailed", data: { ...data, failure, retryAfterMs: 600_000 } };
  registry.append(failed);
  const source = { repository: "registry.test/app" } as never;
  const { id } = registryKeyOf({ repository: "registry.test/app", source, credential: null }, nodeHash);
  await eventLog.append(registryStream(id), "no-stream", registry.facts as never);
  expect(await answered(server.origin)).toEqual([
    {
      host,
      observedAt: formatTime(now),
      failing: { code: "FI_RATE_LIMITED", message: "registry.test answered 429", failures: 1 },
      pausedUntil: formatTime(now + 600_000),
      points: [],
    },
  ]);
});
