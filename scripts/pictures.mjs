// `pnpm pictures`: the pictures of docs/guides/inspector.md, taken of the built page in Chromium with the tests' own facts.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { prepare } from "./lib/prepare.mjs";
import { root } from "./lib/process.mjs";

const hook = "FETCH_IMAGE_TYPESCRIPT_HOOK";
const folder = join(root, "docs/guides/inspector");

/** @type {readonly {name: string, path: string, tab?: string, width: number, height: number, dark?: boolean}[]} */
const pictures = [
  { name: "live", path: "/?build=1042&fetch=4%2Fimage-get", width: 1600, height: 960 },
  { name: "time-travel", path: "/?build=1042&fetch=2%2Fimage-get&at=11", width: 1600, height: 960, dark: true },
  { name: "log", path: "/?build=1042&fetch=2%2Fimage-get", tab: "Log", width: 1280, height: 720 },
  { name: "sequence", path: "/?build=1042&fetch=2%2Fimage-get", tab: "Sequence", width: 1280, height: 720 },
  { name: "tags", path: "/?view=tags&ref=docker.io/library/golang:1.23", width: 1280, height: 720 },
  { name: "registries", path: "/?view=registries", width: 1280, height: 560 },
  { name: "phone", path: "/?build=1042&fetch=2%2Fimage-get&at=11", width: 390, height: 844 },
];

// The tests' support is TypeScript, which Node 20 runs with a hook.
if (process.env[hook] === undefined) {
  await prepare();
  const options = ["--import", pathToFileURL(join(root, "scripts/lib/typescript-hook.mjs")).href];
  process.exitCode = spawnSync(process.execPath, [...options, process.argv[1] ?? ""], { stdio: "inherit" }).status ?? 1;
} else {
  await take();
}

async function take() {
  const support = (/** @type {string} */ name) =>
    import(pathToFileURL(join(root, `test/inspector-page/support/${name}.ts`)).href);
  const [{ launchBrowser, openPage }, { servePage }, { sampleFacts }] = await Promise.all(
    ["browser", "page-server", "sample-facts"].map(support),
  );
  mkdirSync(folder, { recursive: true });
  const sample = sampleFacts();
  const server = await servePage(sample);
  const browser = await launchBrowser();
  try {
    for (const { name, path, tab, ...shape } of pictures) {
      const { page } = await openPage(browser, { origin: server.origin, path, now: sample.now, ...shape });
      if (tab !== undefined) await page.getByRole("tab", { name: tab }).click();
      await page.locator("#main :is(.tab-panel, .stays, .uplot)").first().waitFor();
      // Until the last of it is drawn: nothing on the page says so.
      await page.waitForTimeout(500);
      await page.screenshot({ path: join(folder, `${name}.png`) });
      process.stderr.write(`docs/guides/inspector/${name}.png\n`);
    }
  } finally {
    await browser.close();
    await server[Symbol.asyncDispose]();
  }
}
