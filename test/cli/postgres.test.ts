import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { example, fetchImage, type Images, startImages } from "../support/cli.ts";
import { fetchImageInHost } from "../support/command-host.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { type Scratch, scratch } from "../support/scratch.ts";

const missing = postgresMissing();

describe.skipIf(missing !== undefined)(`on a server${missing === undefined ? "" : ` (${missing})`}`, () => {
  let images: Images;
  let postgres: TestPostgres;
  let place: Scratch;
  beforeAll(async () => {
    [images, postgres] = await Promise.all([
      startImages(),
      startPostgres({ settings: ["logging_collector=on", "log_statement=all", "log_line_prefix=%d "] }),
    ]);
    place = scratch("postgres");
  });
  afterAll(async () => {
    place[Symbol.dispose]();
    await postgres.stop();
    await images.registry.close();
  });

  test("several writers store at the same time, each build with a number of its own", async () => {
    const env = { DATABASE_URL: await postgres.createDatabase() };
    const run = () =>
      fetchImage(["run", example("custom-type"), ...images.vars, "--json"], { cwd: place.directory, env });
    const ended = await Promise.all([run(), run(), run()]);
    expect(ended.map(({ status }) => status)).toEqual([0, 0, 0]);
    const builds = ended.map(({ json }) => [
      ...new Set((json() as readonly { build: string }[]).map(({ build }) => build)),
    ]);
    expect(builds.flat().sort()).toEqual(["1", "2", "3"]);
    // One question, asked once, whoever asks.
    expect(images.registry.counts.manifestHead).toBe(1);

    const list = await fetchImageInHost(["why", "3", "--json"], { cwd: place.directory, env });
    expect(list.json()).toHaveLength(3);
    const unknown = await fetchImageInHost(["log", "9"], { cwd: place.directory, env });
    // In the order they were opened in, which need not be that of the numbers they drew.
    expect(unknown.stderr).toMatch(/The newest builds are ([123]), (?!\1)([123]), (?!\1|\2)[123]\./);
    expect(unknown.stderr).toContain("postgres://***@127.0.0.1");
  });

  test("database-pipeline reaches the store, which asks then, and only then, whether there is a pooler in between", async () => {
    const [usual, pipelined] = [await postgres.createDatabase(), await postgres.createDatabase()];
    const run = (url: string, args: readonly string[]) =>
      fetchImageInHost(["run", example("custom-type"), ...images.vars, ...args], {
        cwd: place.directory,
        env: { DATABASE_URL: url },
      });
    expect(await run(usual, [])).toMatchObject({ status: 0 });
    expect(await run(pipelined, ["--database-pipeline", "true"])).toMatchObject({ status: 0 });
    const logs = join(postgres.dataDirectory, "log");
    const askedOf = (url: string) => {
      const question = `${new URL(url).pathname.slice(1)} LOG:  statement: select pg_backend_pid() as pid`;
      return readdirSync(logs).some((file) => readFileSync(join(logs, file), "utf8").includes(question));
    };
    await vi.waitFor(() => expect(askedOf(pipelined)).toBe(true));
    expect(askedOf(usual)).toBe(false);
  });

  test("a server that is not there is status 1, and the message has no password", async () => {
    const args = ["log", "1", "--database-url", "postgres://ci:canary-2b@127.0.0.1:1/ci", "--json"];
    const { status, stdout, json } = await fetchImageInHost(args, { cwd: place.directory });
    expect(status).toBe(1);
    expect(json()).toEqual([expect.objectContaining({ code: "FI_STORE_UNAVAILABLE", retryable: true })]);
    expect(stdout).not.toContain("canary");
  });
});
