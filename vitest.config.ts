import { defineConfig } from "vitest/config";

// Tests read the packages' sources, so that they need no build and can never run a stale one.
const conditions = ["fetch-image:source"];

export default defineConfig({
  resolve: { conditions: [...conditions, "module", "node", "development|production"] },
  ssr: { resolve: { conditions, externalConditions: [...conditions, "node"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts"],
    pool: "forks",
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
