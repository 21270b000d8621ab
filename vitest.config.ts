import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { shortLived } from "./test/support/short-lived.ts";

interface Suite {
  readonly folder: string;
  readonly setupFiles?: string[];
  /** Whether each file has a process of its own: where a test kills servers, loads drivers or counts modules. Default: true. */
  readonly isolate?: boolean;
}

// Tests read the packages' sources, so that they need no build and can never run a stale one.
const conditions = ["fetch-image:source"];
// Suites that run beside each other compile each module once, in one run of `npm test`.
const modules = process.env["FETCH_IMAGE_TEST_MODULES"];
const suites: Record<string, Suite> = JSON.parse(readFileSync(new URL("test/suites.json", import.meta.url), "utf8"));

export default defineConfig({
  resolve: { conditions: [...conditions, "module", "node", "development|production"] },
  ssr: { resolve: { conditions, externalConditions: [...conditions, "node"] } },
  test: {
    pool: "forks",
    execArgv: [...shortLived],
    maxWorkers: Number(process.env["FETCH_IMAGE_TEST_WORKERS"] ?? availableParallelism()),
    // For what hangs, on a machine that is busy with other things too.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    ...(modules === undefined ? {} : { experimental: { fsModuleCache: true, fsModuleCachePath: modules } }),
    // One project for each suite: `npx vitest run --project unit`.
    projects: Object.entries(suites).map(([name, { folder, setupFiles = [], isolate = true }]) => ({
      extends: true,
      test: {
        name,
        include: [folder === "packages" ? "packages/*/src/**/*.test.ts" : `${folder}/**/*.test.ts`],
        setupFiles,
        isolate,
      },
    })),
  },
});
