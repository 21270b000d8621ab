import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe } from "vitest";
import { buildPage } from "../../../scripts/lib/prepare.mjs";
import { chromiumPath, launchBrowser, type OpenPage, type OpenPageOptions, pagesInTurn } from "./browser.ts";
import { type PageServer, servePage } from "./page-server.ts";
import { type Sample, sampleFacts } from "./sample-facts.ts";

export interface PageUnderTest {
  readonly sample: Sample;
  readonly browser: () => Browser;
  readonly server: () => PageServer;
  /** The page at a path of the sample's server, its clock a little after the sample's last fact; one at a time. */
  readonly open: (path: string, options?: Omit<OpenPageOptions, "origin" | "path">) => Promise<OpenPage>;
}

/** For all files: starting a browser takes a second of processor time. It ends with this process. */
let launched: Promise<Launched> | undefined;

interface Launched {
  readonly browser: Browser;
  readonly openInTurn: (options: OpenPageOptions) => Promise<OpenPage>;
}

async function launch(): Promise<Launched> {
  const browser = await launchBrowser();
  return { browser, openInTurn: await pagesInTurn(browser) };
}

/** Tests that drive the built page in a browser; skipped by name where there is none. */
export function describePage(name: string, tests: (page: PageUnderTest) => void): void {
  const missing = chromiumPath === undefined ? " (chromium is missing)" : "";
  describe.skipIf(missing !== "")(`${name}${missing}`, () => {
    const sample = sampleFacts();
    let started: Launched | undefined;
    let server: PageServer | undefined;
    beforeAll(async () => {
      // The page that is tested is the one of these sources.
      await buildPage();
      [started, server] = await Promise.all([(launched ??= launch()), servePage(sample)]);
    });
    afterAll(async () => {
      await server?.[Symbol.asyncDispose]();
    });
    const begun = <T>(one: T | undefined): T => {
      if (one === undefined) throw new Error("there is none before the tests begin");
      return one;
    };
    tests({
      sample,
      browser: () => begun(started).browser,
      server: () => begun(server),
      open: (path, options) =>
        begun(started).openInTurn({ origin: begun(server).origin, path, now: sample.now, ...options }),
    });
  });
}

/** The address of a fetch, at a revision where one is given. */
export function addressOf(build: string, fetch: string, at?: number | bigint): string {
  return `/?${new URLSearchParams({ build, fetch, ...(at === undefined ? {} : { at: String(at) }) }).toString()}`;
}
