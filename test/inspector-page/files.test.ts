// Exported streams, without any inspector; and the way in where a token is wanted.
import { createServer } from "node:http";
import { createReadStream, existsSync } from "node:fs";
import { extname, join } from "node:path";
import { factJson } from "@fetch-image/inspector";
import type { RecordedFact } from "@fetch-image/core";
import { expect, test } from "vitest";
import { listenOnLoopback } from "../support/listen.ts";
import { openPage } from "./support/browser.ts";
import { describePage } from "./support/describe-page.ts";
import { servePage } from "./support/page-server.ts";

const built = new URL("../../packages/inspector/dist-web/", import.meta.url).pathname;
const types: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

describePage("files", ({ sample, browser, open }) => {
  const exported = (streams: readonly { readonly facts: readonly unknown[] }[]): Buffer =>
    Buffer.from(
      streams
        .flatMap(({ facts }) => facts.map((fact) => `${JSON.stringify(factJson(fact as RecordedFact))}\n`))
        .join(""),
    );

  test("an export is looked at in the built page, whoever serves it", async () => {
    const server = createServer(({ url = "/" }, response) => {
      const path = join(built, new URL(url, "http://localhost").pathname.replace(/\/$/, "/index.html"));
      if (existsSync(path)) createReadStream(path).pipe(response.setHeader("content-type", types[extname(path)] ?? ""));
      else response.writeHead(404).end();
    });
    const { origin, close } = await listenOnLoopback(server);
    try {
      await using opened = await openPage(browser(), { origin, now: sample.now });
      const { page } = opened;
      await page.getByRole("heading", { name: "Open an exported stream" }).waitFor();
      const buffer = exported(sample.builds.filter(({ buildId }) => buildId === "1042"));
      const file = { name: "build-1042.ndjson", mimeType: "application/x-ndjson", buffer };
      await page.locator("input[type=file]").setInputFiles(file);
      await page.getByRole("heading", { name: "ghcr.io/acme/build-tools:v3" }).waitFor();
      await page.locator('[id="state-fetchImage.short-circuited"].is-active').waitFor();
      await page.keyboard.press("Home");
      await page.locator('[id="state-fetchImage.authorizing"].is-active').waitFor();
      expect(await page.locator(".fetch-list [role=option]").count()).toBe(4);
    } finally {
      await close();
    }
  });

  test("a file that is dropped takes the place of what the server tells, until it is closed", async () => {
    await using opened = await open("/");
    const { page } = opened;
    await page.getByText("9 fetches, 3 active").waitFor();
    const drop = (name: string, text: string): Promise<void> =>
      page.evaluate(
        `{
          const files = new DataTransfer();
          files.items.add(new File([${JSON.stringify(text)}], ${JSON.stringify(name)}));
          document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: files }));
        }`,
      );
    await drop("scope.ndjson", exported(sample.scopes).toString());
    await page.getByRole("heading", { name: "docker.io/library/golang:1.23" }).waitFor();
    await page.getByText("moved 3 times").waitFor();

    await drop("broken.ndjson", `${exported(sample.builds).toString()}{"stream": "build-1"}\n`);
    const lines = sample.builds.flatMap(({ facts }) => facts).length;
    await page
      .getByRole("alert")
      .getByText(`broken.ndjson, line ${lines + 1}, is no fact`)
      .waitFor();

    await page.getByRole("link", { name: "Fetches" }).click();
    await page.getByRole("button", { name: "Close file" }).click();
    await page.getByText("9 fetches, 3 active").waitFor();
    expect(opened.complaints).toEqual([]);
  });

  test("facts that contradict each other are shown as they stand, with what is wrong", async () => {
    const whole = sample.builds.find(({ buildId }) => buildId === "1042")?.facts ?? [];
    const kept = whole.filter(({ type }) => type !== "TimerFired");
    await using opened = await open("/");
    const { page } = opened;
    const file = { name: "x.ndjson", mimeType: "application/x-ndjson", buffer: exported([{ facts: kept }]) };
    await page.getByText("9 fetches, 3 active").waitFor();
    await page.locator("input[type=file]").setInputFiles(file);
    await page.getByRole("list", { name: "Warnings" }).getByText("contradicts the facts before it").waitFor();
    await page.keyboard.press("Home");
    await page.locator('[id="state-fetchImage.authorizing"].is-active').waitFor();
    expect(opened.complaints).toEqual([]);
  });

  test("where a token is wanted the page asks for it, or takes it from its address and out of it", async () => {
    await using server = await servePage(sample, { token: "a-token-of-some-length" });
    await using asking = await openPage(browser(), { origin: server.origin, now: sample.now });
    await asking.page.getByLabel("Token").fill("another-token-of-this-length");
    await asking.page.getByRole("button", { name: "Open", exact: true }).click();
    await asking.page.getByRole("alert").waitFor();
    await asking.page.getByLabel("Token").fill("a-token-of-some-length");
    await asking.page.getByRole("button", { name: "Open", exact: true }).click();
    await asking.page.getByText("9 fetches, 3 active").waitFor();

    const path = "/?build=1042#token=a-token-of-some-length";
    await using told = await openPage(browser(), { origin: server.origin, path, now: sample.now });
    await told.page.getByRole("heading", { name: "build 1042" }).waitFor();
    expect(told.page.url()).not.toContain("token");
    expect(told.complaints).toEqual([]);
  });
});
