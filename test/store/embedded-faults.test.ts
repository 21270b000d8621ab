import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbedded, openEmbeddedStore } from "@fetch-image/store/pglite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { aFact, codeOf, errorOf, idsOf, someFacts } from "../conformance/facts.ts";
import { embeddedDirectory, makeEmbeddedStore } from "../support/embedded.ts";
import { type Child, startChild } from "./child/start-child.ts";

// Processes are started and databases opened: seconds of processor time, more where others need it too.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

let directory: string;
let children: Child[];
beforeEach(async ({ task }) => {
  // Copying a store that a test has no use for costs more than the test.
  directory =
    task.suite?.name === "a directory that cannot be used"
      ? mkdtempSync(join(tmpdir(), "fetch-image-none-"))
      : await embeddedDirectory();
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()));
  rmSync(directory, { recursive: true, force: true });
});

async function aChild(options?: Parameters<typeof startChild>[0]): Promise<Child> {
  const child = await startChild(options);
  children.push(child);
  return child;
}

describe("a process that is killed", () => {
  test("while it writes, again and again: the store opens, and nothing that was acknowledged is lost", async () => {
    const acknowledged: string[] = [];
    for (let kill = 0; kill < 5; kill++) {
      const writer = await aChild();
      await writer.ask({ do: "open", directory, access: "write" });
      await writer.ask({ do: "append-forever", stream: "build-1" });
      await writer.acknowledgedAtLeast(20 + kill * 13);
      await writer.kill();
      acknowledged.push(...writer.acknowledged);
    }
    await using store = await openEmbeddedStore({ directory });
    const facts = await store.eventLog.read("build-1");
    const stored = new Set(idsOf(facts));
    expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
    // What was stored and not acknowledged is at most the last append before each kill.
    expect(facts.length).toBeLessThanOrEqual(acknowledged.length + 5);
    expect(facts.map(({ revision }) => revision)).toEqual(facts.map((_, index) => BigInt(index)));
  });

  test("while it makes the store: nothing of it is taken for one, and the next one makes it anew", async () => {
    const fresh = join(directory, "fresh");
    for (const wait of [400, 1200]) {
      const maker = await aChild();
      const opening = maker.ask({ do: "open", directory: fresh, access: "write" }).catch(() => undefined);
      await vi.waitFor(() => expect(readdirSync(fresh).some((name) => name.startsWith("postgres.new-"))).toBe(true), {
        timeout: 60_000,
      });
      await new Promise((resolve) => setTimeout(resolve, wait));
      await maker.kill();
      await opening;
      expect(existsSync(join(fresh, "postgres"))).toBe(false);
    }
    await using store = await openEmbeddedStore({ directory: fresh });
    expect(readdirSync(fresh).filter((name) => name.startsWith("postgres"))).toEqual(["postgres"]);
    expect(await store.eventLog.append("build-1", "no-stream", [aFact()])).toMatchObject({ revision: 0n });
  });
});

describe("a store that is closed", () => {
  test("is opened again with everything in it, by the same process too, and says what it guarantees", async () => {
    for (let round = 0; round < 3; round++) {
      const store = await openEmbeddedStore({ directory });
      expect(store.guarantees).toContain("not a power loss");
      await store.eventLog.append(`build-${round}`, "no-stream", someFacts(2));
      expect((await store.eventLog.readAll({ limit: 100 })).facts).toHaveLength(2 * (round + 1));
      await Promise.all([store.close(), store.close()]);
      expect(await codeOf(store.eventLog.append("late", "no-stream", [aFact()]))).toBe("FI_STORE_UNAVAILABLE");
      expect(await codeOf(store.readModel.checkpoint())).toBe("FI_STORE_UNAVAILABLE");
      await expect(store.sql.query("select 1")).rejects.toMatchObject({ kind: "refused" });
      await expect(store.sql.transaction(async () => 1)).rejects.toMatchObject({ kind: "refused" });
    }
  });
});

describe("a directory that cannot be used", () => {
  const refusals: { readonly [name: string]: (place: string) => void | Promise<void> } = {
    "a file in its place": (place) => writeFileSync(place, "not a directory"),
    "a file in the way to it": (place) => {
      writeFileSync(place.slice(0, place.lastIndexOf("/")), "");
    },
    "a file where the database should be": (place) => {
      mkdirSync(place);
      writeFileSync(join(place, "postgres"), "");
    },
    "a database that is none": (place) => {
      mkdirSync(join(place, "postgres"), { recursive: true });
      writeFileSync(join(place, "postgres", "notes.txt"), "");
    },
    "a database that lacks its files": (place) => {
      mkdirSync(join(place, "postgres"), { recursive: true });
      writeFileSync(join(place, "postgres", "PG_VERSION"), "18\n");
    },
    "a database of another PostgreSQL": async (place) => {
      mkdirSync(place);
      await makeEmbeddedStore(place);
      writeFileSync(join(place, "postgres", "PG_VERSION"), "99\n");
    },
    "a lock that nobody can read": (place) => {
      mkdirSync(place);
      writeFileSync(join(place, "lock.1"), "{");
    },
  };
  for (const [name, prepare] of Object.entries(refusals)) {
    test(`${name}: refused, naming it, and nothing is left locked`, async () => {
      const place = join(directory, "way", "data");
      if (name !== "a file in the way to it") mkdirSync(join(directory, "way"));
      await prepare(place);
      const error = await errorOf(openEmbeddedStore({ directory: place }));
      expect(error?.code).toBe("FI_STORE_UNREADABLE");
      expect(error?.message).toContain(place);
      expect((await errorOf(openEmbeddedStore({ directory: place })))?.code).toBe("FI_STORE_UNREADABLE");
    });
  }

  test("one that another user owns is refused, for reading and for writing", async ({ skip }) => {
    if (process.getuid?.() !== 0) skip("only root can become another user");
    await makeEmbeddedStore(directory);
    chmodSync(directory, 0o700);
    const stranger = await aChild({ uid: 65_534, cwd: "/" });
    for (const access of ["write", "read"] as const) {
      await expect(stranger.ask({ do: "open", directory, access })).rejects.toMatchObject({
        code: "FI_STORE_UNREADABLE",
        message: expect.stringContaining(directory),
      });
    }
    chownSync(directory, 65_534, 65_534);
    chmodSync(directory, 0o500);
    await expect(stranger.ask({ do: "open", directory, access: "write" })).rejects.toMatchObject({
      code: "FI_STORE_UNREADABLE",
    });
  });

  test("a store that a newer version made is refused, and can be opened by that one still", async () => {
    await makeEmbeddedStore(directory);
    const store = await openEmbeddedStore({ directory });
    await store.sql.query("insert into fetch_image.migrations (number, name) values (999999, 'from the future')");
    await store.close();
    expect((await errorOf(openEmbeddedStore({ directory })))?.code).toBe("FI_STORE_TOO_NEW");
    expect((await errorOf(openEmbedded({ directory, access: "read" })))?.code).toBe("FI_STORE_TOO_NEW");
  });
});

describe("a disk that is full", () => {
  /** A disk of so many MiB; skips the test where none can be had. */
  function smallDisk(mebibytes: number, skip: (reason: string) => never): string {
    const place = mkdtempSync(join(tmpdir(), "fetch-image-disk-"));
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "none", place]);
    if (mounted.status === 0) return place;
    rmSync(place, { recursive: true });
    return skip("a small disk cannot be mounted here");
  }
  function unmount(place: string): void {
    spawnSync("umount", ["-l", place]);
    rmSync(place, { recursive: true });
  }

  test("nothing is begun on one without room for a store", async ({ skip }) => {
    const disk = smallDisk(40, skip);
    try {
      const error = await errorOf(openEmbeddedStore({ directory: disk }));
      expect(error).toMatchObject({ code: "FI_STORE_FULL", retryable: true });
      expect(readdirSync(disk).filter((name) => name.startsWith("postgres"))).toEqual([]);
    } finally {
      unmount(disk);
    }
  });

  test("appends are refused before they could hurt, reads go on, and so do appends once there is room", async ({
    skip,
  }) => {
    const disk = smallDisk(72, skip);
    cpSync(join(directory, "postgres"), join(disk, "postgres"), { recursive: true });
    const store = await openEmbeddedStore({ directory: disk });
    try {
      const appended: string[] = [];
      let error = await errorOf(store.eventLog.append("build-0", "no-stream", [aFact()]));
      for (let n = 1; error === undefined && n < 20_000; n++) {
        const fact = aFact({ text: incompressible(50_000) });
        error = await errorOf(store.eventLog.append(`build-${n}`, "no-stream", [fact]));
        if (error === undefined) appended.push(fact.id);
      }
      expect(error?.code).toBe("FI_STORE_FULL");
      const { facts } = await store.eventLog.readAll({ limit: 100_000 });
      expect(idsOf(facts).slice(1)).toEqual(appended);
      expect(await codeOf(store.readModel.checkpoint())).toBe("fulfilled");
      spawnSync("mount", ["-o", "remount,size=256m", disk]);
      await vi.waitFor(async () => {
        expect(await codeOf(store.eventLog.append(`late-${Math.random()}`, "no-stream", [aFact()]))).toBe("fulfilled");
      });
    } finally {
      await store.close();
      unmount(disk);
    }
  });

  test("where it fills up all at once, the store is none the worse: unknown at most, and whole when there is room", async ({
    skip,
  }) => {
    const disk = smallDisk(128, skip);
    cpSync(join(directory, "postgres"), join(disk, "postgres"), { recursive: true });
    const store = await openEmbeddedStore({ directory: disk });
    try {
      const taken: string[] = [];
      const unknown: string[] = [];
      const facts = Array.from({ length: 40 }, () => aFact({ text: incompressible(1_000_000) }));
      await store.eventLog.append("before", "no-stream", [aFact()]);
      // Between one look at the free room and the next, another program takes all of it.
      spawnSync("sh", ["-c", `cat /dev/zero > ${disk}/hog 2>/dev/null; sync`]);
      for (const [n, fact] of facts.entries()) {
        const code = await codeOf(
          store.sql
            .query(
              "select * from fetch_image.append_one($1, -1, array[$2::uuid], array['T'], array[$3::json], array['{}'::json])",
              [`build-${n}`, fact.id, JSON.stringify(fact.data)],
            )
            .then(
              () => undefined,
              () => Promise.resolve(unknown.push(fact.id)),
            ),
        );
        if (code === "fulfilled" && !unknown.includes(fact.id)) taken.push(fact.id);
      }
      expect(unknown.length).toBeGreaterThan(0);
      const refused = await errorOf(store.eventLog.append("build-99", "no-stream", [aFact()]));
      expect(refused?.code).toMatch(/^FI_STORE_(?:FULL|UNAVAILABLE)$/);
      rmSync(join(disk, "hog"));
      await vi.waitFor(
        async () => expect(await codeOf(store.eventLog.append("after", "no-stream", [aFact()]))).toBe("fulfilled"),
        { timeout: 60_000, interval: 200 },
      );
      const stored = new Set(idsOf((await store.eventLog.readAll({ limit: 1000 })).facts));
      expect(taken.filter((id) => !stored.has(id))).toEqual([]);
    } finally {
      await store.close();
      unmount(disk);
    }
  });
});

describe("a store that is written for long", () => {
  test("keeps its log small", async () => {
    await using store = await openEmbeddedStore({ directory });
    const log = join(directory, "postgres", "pg_wal");
    const size = (): number =>
      readdirSync(log).reduce((sum, name) => sum + statSync(join(log, name)).size, 0) / (1024 * 1024);
    for (let batch = 0; batch < 20; batch++) {
      const text = incompressible(50_000);
      const work = Array.from({ length: 50 }, (_, n) =>
        store.eventLog.append(`build-${batch}-${n}`, "no-stream", [aFact({ text })]),
      );
      await Promise.all(work);
    }
    const written = (await store.sql.query("select pg_database_size(current_database()) / 1048576 as size")).rows[0];
    expect(Number(written?.["size"])).toBeGreaterThan(50);
    expect(size()).toBeLessThan(40);
  });
});

function incompressible(length: number): string {
  return randomBytes(length).toString("base64").slice(0, length);
}
