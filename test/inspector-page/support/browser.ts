// Debian's Chromium, driven by Playwright.
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { lookForPeers } from "../../../scripts/setup-test-peers.mjs";

export const chromiumPath: string | undefined = lookForPeers().available["chromium"];

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    ...(chromiumPath === undefined ? {} : { executablePath: chromiumPath }),
    // As root in a container, where the kernel gives no sandbox.
    args: ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"],
  });
}

export interface OpenPageOptions {
  readonly origin: string;
  /** `/?build=7`. */
  readonly path?: string;
  /** Milliseconds since the epoch: the page's clock begins there. */
  readonly now?: number;
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  /** Whether things move; by default they do not. */
  readonly motion?: boolean;
}

export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  /** What the page said on its console as a warning or an error, and what it asked other origins for. */
  readonly complaints: readonly string[];
}

/** In a context of its own. */
export async function openPage(browser: Browser, options: OpenPageOptions): Promise<OpenPage> {
  const context = await browser.newContext({ deviceScaleFactor: 1, reducedMotion: "reduce" });
  const { page, complaints } = await openIn(context, options);
  return {
    page,
    complaints,
    async [Symbol.asyncDispose]() {
      await context.close();
    },
  };
}

/** Opens pages one after the other in one context, emptied after each: a new one costs more than the page. */
export async function pagesInTurn(browser: Browser): Promise<(options: OpenPageOptions) => Promise<OpenPage>> {
  const context = await browser.newContext({ deviceScaleFactor: 1, reducedMotion: "reduce" });
  // While there is a page, the browser keeps what the next one needs.
  await context.newPage();
  return async (options) => {
    const { page, complaints } = await openIn(context, options);
    return {
      page,
      complaints,
      async [Symbol.asyncDispose]() {
        await page.evaluate("localStorage.clear()");
        await page.close();
        await context.clearCookies();
      },
    };
  };
}

async function openIn(
  context: BrowserContext,
  options: OpenPageOptions,
): Promise<Pick<OpenPage, "page" | "complaints">> {
  const { origin, path = "/", now, width = 1280, height = 720, dark = false, motion = false } = options;
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  await page.setViewportSize({ width, height });
  await page.emulateMedia({
    colorScheme: dark ? "dark" : "light",
    reducedMotion: motion ? "no-preference" : "reduce",
  });
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith("data:")) complaints.push(`asked ${url}`);
  });
  if (now !== undefined) await page.clock.install({ time: now });
  await page.goto(new URL(path, origin).href);
  return { page, complaints };
}
