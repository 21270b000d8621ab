import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defaultSettings } from "@fetch-image/engine";
import { createImageRegistry } from "@fetch-image/registry";
import { startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { createMemoryEventLog, createMemoryReadModel } from "@fetch-image/store/memory";
import { expect, test, vi } from "vitest";
import { postgresMissing, startPostgres } from "../support/postgres.ts";
import { fetchOne, open, portsOn, probes, stop, whatRan } from "./embedding-example.ts";

const read = (path: string) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8");
const guide = read("../../docs/guides/embedding.md");

test("every piece of code in the embedding guide stands in the example that is compiled and run here", () => {
  const lines = (code: string) => code.split("\n").map((line) => line.trim());
  const example = lines(read("./embedding-example.ts")).join("\n");
  const blocks = [...guide.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = ""]) => code.trim());
  expect(blocks).toHaveLength(6);
  for (const block of blocks) expect(example).toContain(lines(block).join("\n"));
});

test("the example fetches, answers its probes, and stops", async () => {
  await using embedded = await startEmbeddedRegistry();
  const { digest } = await embedded.push("acme/go:1.26");
  const registry = createImageRegistry({ endpoints: { "registry.example.com": `http://${embedded.host}` } });
  const ports = { eventLog: createMemoryEventLog(), readModel: createMemoryReadModel(), registry };
  const engine = open(ports, "a secret of all nodes");
  const server = probes(engine);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const status = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;

  const imageURL = await fetchOne(engine, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  expect(imageURL).toBe(`docker:///registry.example.com/acme/go:1.26@${digest}`);
  const build = await engine.openBuild({ id: "123" });
  expect(await whatRan(build, `registry.example.com/acme/go@${digest}`, "a-pod")).toBe("same");
  await build.close();
  expect([await status("/live"), await status("/ready")]).toEqual([200, 200]);
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  await stop(engine);
  expect(said.mock.calls).toEqual([["0 fetches ended, 0 are left to the next process"]]);
  said.mockRestore();
  expect([await status("/live"), await status("/ready")]).toEqual([503, 503]);
  await new Promise((resolve) => server.close(resolve));
  await registry.close();
});

test("the guide names the limits as they are", () => {
  const { maxFetches, maxWaitingFetches } = defaultSettings;
  const cells = guide.replaceAll(/ +/g, " ");
  expect(cells).toContain(`\`maxFetches\` | ${maxFetches.toLocaleString("en")} |`);
  expect(cells).toContain(`\`maxWaitingFetches\` | ${maxWaitingFetches.toLocaleString("en")} |`);
});

test.skipIf(postgresMissing() !== undefined)("the example's stores are there, and closed", async () => {
  const server = await startPostgres();
  const { eventLog, readModel, close } = await portsOn(await server.createDatabase());
  expect(await eventLog.readAll({ limit: 1 })).toMatchObject({ facts: [] });
  expect(await readModel.checkpoint()).toBeUndefined();
  await close();
  await server.stop();
});
