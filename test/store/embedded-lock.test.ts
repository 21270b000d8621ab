import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openEmbedded, openEmbeddedStore } from "@fetch-image/store/pglite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { aFact, errorOf, someFacts } from "../conformance/facts.ts";
import { embeddedDirectory } from "../support/embedded.ts";
import { type Child, startChild } from "./child/start-child.ts";

// Processes are started and databases opened: seconds of processor time, more where others need it too.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let directory: string;
let children: Child[];
beforeEach(async () => {
  directory = await embeddedDirectory();
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()));
  rmSync(directory, { recursive: true, force: true });
});

async function aChild(): Promise<Child> {
  const child = await startChild();
  children.push(child);
  return child;
}

describe("one directory, one holder", () => {
  test("a second writer is refused at once, naming the holder's pid, from this process and from another", async () => {
    const holder = await aChild();
    await holder.ask({ do: "open", directory, access: "write" });
    const started = performance.now();
    const error = await errorOf(openEmbeddedStore({ directory }));
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(error).toMatchObject({ code: "FI_STORE_LOCKED", retryable: true, details: { directory, pid: holder.pid } });
    expect(error?.message).toContain(String(holder.pid));
    const other = await aChild();
    await expect(other.ask({ do: "open", directory, access: "write" })).rejects.toMatchObject({
      code: "FI_STORE_LOCKED",
      details: { pid: holder.pid },
    });
    // Being refused took nothing from the holder.
    expect(await holder.ask({ do: "append", stream: "build-1", count: 2 })).toBe("1");
  });

  test("a second store in the same process is refused too", async () => {
    await using store = await openEmbeddedStore({ directory });
    expect(await errorOf(openEmbeddedStore({ directory }))).toMatchObject({
      code: "FI_STORE_LOCKED",
      details: { pid: process.pid },
    });
    expect(await store.eventLog.append("build-1", "no-stream", [aFact()])).toMatchObject({ revision: 0n });
  });

  test("another name of the directory is the same directory", async () => {
    await using store = await openEmbeddedStore({ directory });
    const alias = `${directory}-alias`;
    symlinkSync(directory, alias);
    try {
      expect((await errorOf(openEmbeddedStore({ directory: alias })))?.code).toBe("FI_STORE_LOCKED");
      expect((await errorOf(openEmbeddedStore({ directory: `${directory}/../${basename(directory)}/.` })))?.code).toBe(
        "FI_STORE_LOCKED",
      );
    } finally {
      rmSync(alias);
    }
    expect(await store.eventLog.append("build-1", "no-stream", [aFact()])).toMatchObject({ revision: 0n });
  });

  test("of many that come at the same time, one gets it, also when a dead holder's lock is in the way", async () => {
    const dead = await aChild();
    await dead.ask({ do: "open", directory, access: "write" });
    await dead.kill();
    const contenders = await Promise.all(Array.from({ length: 3 }, () => aChild()));
    const outcomes = await Promise.all(
      contenders.map((child) =>
        child.ask({ do: "open", directory, access: "write" }).then(
          () => "opened",
          (error: { code: string }) => error.code,
        ),
      ),
    );
    expect(outcomes.toSorted()).toEqual(["FI_STORE_LOCKED", "FI_STORE_LOCKED", "opened"]);
  });

  test("it is free again once the holder closed, exited, or was killed", async () => {
    for (const end of ["close", "exit", "kill"] as const) {
      const holder = await aChild();
      await holder.ask({ do: "open", directory, access: "write" });
      if (end === "close") await holder.ask({ do: "close" });
      else if (end === "kill") await holder.kill();
      else await Promise.all([holder.ask({ do: "exit" }).catch(() => undefined), holder.ended]);
      await (await openEmbeddedStore({ directory })).close();
    }
    // What dead holders left is gone.
    expect(readdirSync(directory).filter((name) => !/^(?:postgres|lock\.\d+)$/.test(name))).toEqual([]);
    expect(readdirSync(directory).filter((name) => name.startsWith("lock."))).toHaveLength(1);
  });

  test("a lock whose pid now belongs to another process is a dead one's", async () => {
    await (await openEmbeddedStore({ directory })).close();
    const [lock = ""] = readdirSync(directory).filter((name) => name.startsWith("lock."));
    await using holder = await openEmbeddedStore({ directory });
    const [current = ""] = readdirSync(directory).filter((name) => name.startsWith("lock."));
    expect(current).not.toBe(lock);
    const text = readFileSync(join(directory, current), "utf8");
    await holder.close();
    writeFileSync(join(directory, current), text.replace(/"started": "\d+"/, '"started": "1"'));
    await (await openEmbeddedStore({ directory })).close();
  });

  test("a holder on another machine is never taken for dead, and the hint says what to do", async () => {
    const elsewhere = {
      pid: 4711,
      started: "1",
      host: `not-${hostname()}`,
      boot: "another",
      pidNamespace: "pid:[1]",
      access: "write",
      socket: "socket-1",
    };
    writeFileSync(join(directory, "lock.1"), JSON.stringify(elsewhere));
    const error = await errorOf(openEmbeddedStore({ directory }));
    expect(error).toMatchObject({ code: "FI_STORE_LOCKED", details: { pid: 4711, host: elsewhere.host } });
    expect(error?.hint).toContain("lock.*");
  });

  test("a holder in another container of this machine is dead when nobody listens on its socket", async () => {
    const store = await openEmbeddedStore({ directory });
    const [name = ""] = readdirSync(directory).filter((entry) => entry.startsWith("lock."));
    const lock = join(directory, name);
    const holder: { [field: string]: unknown } = JSON.parse(readFileSync(lock, "utf8"));
    // As seen from outside of the holder's pid namespace.
    writeFileSync(lock, JSON.stringify({ ...holder, pid: 1, pidNamespace: "pid:[1]", host: "pod-1" }));
    expect((await errorOf(openEmbeddedStore({ directory })))?.code).toBe("FI_STORE_LOCKED");
    await store.close();
    writeFileSync(lock, JSON.stringify({ ...holder, pid: 1, pidNamespace: "pid:[1]", host: "pod-1" }));
    await (await openEmbeddedStore({ directory })).close();
  });

  test("the directory, the lock and the socket are the user's own", async () => {
    await using store = await openEmbeddedStore({ directory });
    expect(statSync(join(directory, "postgres")).uid).toBe(process.getuid?.());
    expect(store.guarantees).not.toBe("");
    const [socket = ""] = readdirSync(directory).filter((name) => name.startsWith("socket-"));
    expect(statSync(join(directory, socket)).mode & 0o777).toBe(0o600);
  });
});

describe("readers", () => {
  test("a reader beside a writer in another process reads, follows, and cannot append", async () => {
    const writer = await aChild();
    await writer.ask({ do: "open", directory, access: "write" });
    await writer.ask({ do: "append", stream: "build-1", count: 3 });
    await using reader = await openEmbedded({ directory, access: "read" });
    expect((await reader.holder())?.pid).toBe(writer.pid);
    expect((await reader.eventLog.read("build-1")).map(({ id }) => id)).toEqual(
      await writer.ask({ do: "read", stream: "build-1" }),
    );
    const refused = await errorOf(reader.eventLog.append("build-1", 2n, [aFact()]));
    expect(refused).toMatchObject({ code: "FI_STORE_LOCKED", details: { pid: writer.pid } });
    const controller = new AbortController();
    const following = (async () => {
      for await (const message of reader.eventLog.subscribe({ signal: controller.signal })) {
        if (message.kind === "fact" && message.fact.stream === "build-2") return message.fact.revision;
      }
      return undefined;
    })();
    await writer.ask({ do: "append", stream: "build-2", count: 1 });
    expect(await following).toBe(0n);
  });

  test("a reader that finds no holder opens the store itself, and another reader reads through it", async () => {
    const store = await openEmbeddedStore({ directory });
    await store.eventLog.append("build-1", "no-stream", someFacts(3));
    await store.close();
    await using reader = await openEmbedded({ directory, access: "read" });
    expect(await reader.holder()).toBeUndefined();
    expect(await reader.eventLog.read("build-1")).toHaveLength(3);
    expect((await errorOf(reader.eventLog.append("build-1", 2n, [aFact()])))?.code).toBe("FI_STORE_LOCKED");
    const other = await aChild();
    await other.ask({ do: "open", directory, access: "read" });
    expect(await other.ask({ do: "read", stream: "build-1" })).toHaveLength(3);
  });

  test("a reader that holds the store gives way to a writer, and goes on through it", async () => {
    await using reader = await openEmbedded({ directory, access: "read" });
    const controller = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const message of reader.eventLog.subscribe({ signal: controller.signal })) {
        if (message.kind === "fact") seen.push(message.fact.id);
        if (seen.length === 2) return;
      }
    })();
    const writer = await aChild();
    await writer.ask({ do: "open", directory, access: "write" });
    await writer.ask({ do: "append", stream: "build-1", count: 2 });
    await following;
    expect((await reader.holder())?.pid).toBe(writer.pid);
    expect(seen).toEqual(await writer.ask({ do: "read", stream: "build-1" }));
  });

  test("a writer waits for a reader that is on its way out: it holds the directory, and answers nobody", async () => {
    const reader = await aChild();
    await reader.ask({ do: "open", directory, access: "read" });
    for (const name of readdirSync(directory)) if (name.startsWith("socket-")) rmSync(join(directory, name));
    const opening = openEmbeddedStore({ directory });
    const early = await Promise.race([opening.then(() => "opened", String), sleep(300, "waits")]);
    await reader.kill();
    await using writer = await opening;
    expect(early).toBe("waits");
    expect(await writer.eventLog.read("build-1")).toEqual([]);
  });

  test("when the writer goes, its readers go on, whichever way it went, and miss and repeat nothing", async () => {
    const writer = await aChild();
    await writer.ask({ do: "open", directory, access: "write" });
    await writer.ask({ do: "append-forever", stream: "build-1" });
    await using reader = await openEmbedded({ directory, access: "read" });
    const seen: string[] = [];
    const controller = new AbortController();
    const following = (async () => {
      for await (const message of reader.eventLog.subscribe({ signal: controller.signal })) {
        if (message.kind === "fact") seen.push(message.fact.id);
      }
    })();
    await writer.acknowledgedAtLeast(20);
    await writer.kill();
    expect((await reader.eventLog.read("build-1")).length).toBeGreaterThanOrEqual(writer.acknowledged.length);
    const next = await aChild();
    await next.ask({ do: "open", directory, access: "write" });
    await next.ask({ do: "append", stream: "build-2", count: 1 });
    const all = (await reader.eventLog.readAll({ limit: 100_000 })).facts.map(({ id }) => id);
    for (let waited = 0; seen.length < all.length && waited < 500; waited++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    controller.abort();
    await following;
    expect(seen).toEqual(all);
  });

  test("a reader waits for a writer that is still opening", async () => {
    const writer = await aChild();
    const opening = writer.ask({ do: "open", directory, access: "write" });
    for (let waited = 0; !readdirSync(directory).some((name) => name.startsWith("lock.")) && waited < 500; waited++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await using reader = await openEmbedded({ directory, access: "read" });
    expect(await reader.eventLog.read("build-1")).toEqual([]);
    expect((await reader.holder())?.pid).toBe(writer.pid);
    await opening;
  });

  test("nothing is made where a reader finds nothing", async () => {
    const nowhere = join(directory, "nowhere");
    const error = await errorOf(openEmbedded({ directory: nowhere, access: "read" }));
    expect(error).toMatchObject({ code: "FI_STORE_UNREADABLE", details: { directory: nowhere } });
    expect(existsSync(nowhere)).toBe(false);
  });

  test("a directory whose path is too long for a socket is read all the same", async () => {
    const deep = join(directory, "d".repeat(100), "e".repeat(100));
    mkdirSync(deep, { recursive: true });
    symlinkSync(join(directory, "postgres"), join(deep, "postgres"));
    await using store = await openEmbeddedStore({ directory: deep });
    await using reader = await openEmbedded({ directory: deep, access: "read" });
    await store.eventLog.append("build-1", "no-stream", someFacts(2));
    expect(await reader.eventLog.read("build-1")).toHaveLength(2);
  });
});
