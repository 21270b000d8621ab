// Where code lives, as tests: docs/architecture.md has the picture. A rule's comment says where the code belongs.
// Boundaries hold for unit tests too: a test that crosses a package lives in test/.

/** Everything of one package, its sources or, from outside, whatever its name resolves to. */
const inside = (...names) => `^packages/(${names.join("|")})/`;

/** A package may import its own files, the packages named, Node's own modules and npm packages. */
const onlyFrom = (name, allowed, comment) => ({
  name: `${name}-depends-on`,
  severity: "error",
  comment,
  from: { path: inside(name) },
  to: { path: "^packages/", pathNot: inside(name, ...allowed) },
});

const vendors = ["memory", "postgres", "pglite", "eventstoredb", "filesystem"];
const drivers = { pg: "postgres", "@electric-sql": "pglite", "@eventstore": "eventstoredb" };
const unitTest = "[.]test[.]ts$";
const npm = (...names) => `(^|/)node_modules/(${names.join("|")})/`;

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    onlyFrom("core", [], "Core is what everything else is built on: hand it what it needs through one of its ports."),
    onlyFrom(
      "engine",
      ["core"],
      "The engine sees core's ports only: wire the adapter in packages/cli, or in the host.",
    ),
    ...["store", "registry", "kubernetes"].map((adapter) =>
      onlyFrom(
        adapter,
        ["core"],
        "Adapters know core and nobody else: move what two of them share into core, or wire them in packages/cli.",
      ),
    ),
    onlyFrom(
      "inspector",
      ["core", "engine"],
      "The inspector reads through ports: let packages/cli hand it the adapter.",
    ),
    {
      name: "core-is-pure",
      severity: "error",
      comment: "Core does no I/O and has four libraries: move this into store, registry, kubernetes or engine.",
      from: { path: inside("core"), pathNot: unitTest },
      to: { pathNot: [inside("core"), npm("xstate", "zod", "yaml", "re2js")] },
    },
    {
      name: "core-tests-are-pure",
      severity: "error",
      comment: "A test of core that needs more than core and vitest lives in test/.",
      from: { path: `${inside("core")}.*${unitTest}` },
      to: { pathNot: [inside("core"), npm("xstate", "zod", "yaml", "re2js", "vitest", "@?[^/]*vitest[^/]*/[^/]*")] },
    },
    {
      name: "check-starts-fast",
      severity: "error",
      comment: "Import @fetch-image/core/registry-image, and add there what is missing: all of core loads in 150 ms.",
      from: { path: ["^packages/registry/src/", "^packages/store/src/filesystem/"], pathNot: unitTest },
      to: { path: "^packages/core/src/index[.]ts$", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "engine-starts-fast",
      severity: "error",
      comment: "Import @fetch-image/core/fetching, and add there what is missing: all of core reads pipelines, too.",
      from: { path: ["^packages/engine/src/", "^packages/store/src/"], pathNot: unitTest },
      to: { path: "^packages/core/src/index[.]ts$" },
    },
    {
      name: "machine-is-alone",
      severity: "error",
      comment: "The machine's file imports values from xstate alone, so that Stately's tools can open it.",
      from: { path: "^packages/core/src/fetch-image/machine[.]ts$" },
      to: { pathNot: npm("xstate"), dependencyTypesNot: ["type-only"] },
    },
    {
      name: "engine-drags-in-no-driver",
      severity: "error",
      comment: "A scheduler embeds the engine: what needs a library of its own belongs into an adapter package.",
      from: { path: inside("engine"), pathNot: unitTest },
      to: { path: "node_modules/" },
    },
    {
      name: "store-vendors-apart",
      severity: "error",
      comment: "One import loads one driver: move what vendors share beside their folders, such as into store/src/sql.",
      from: { path: `^packages/store/src/(${vendors.join("|")})/` },
      to: { path: `^packages/store/src/(${vendors.join("|")})/`, pathNot: "^packages/store/src/$1/" },
    },
    {
      name: "store-shared-knows-no-vendor",
      severity: "error",
      comment: "What vendors share imports none of them: hand it in through a small interface.",
      from: { path: "^packages/store/src/", pathNot: [`^packages/store/src/(${vendors.join("|")})/`, unitTest] },
      to: { path: `^packages/store/src/(${vendors.join("|")})/` },
    },
    ...Object.entries(drivers).map(([driver, vendor]) => ({
      name: `store-${driver}-in-${vendor}`,
      severity: "error",
      comment: `One import loads one driver: only store/src/${vendor} imports ${driver}; share through an interface.`,
      from: { path: "^packages/", pathNot: `^packages/store/src/${vendor}/` },
      to: { path: npm(driver), dependencyTypesNot: ["type-only"] },
    })),
    {
      name: "nobody-imports-cli",
      severity: "error",
      comment: "The command is the top: move what another package needs from it one package down.",
      from: { path: "^packages/", pathNot: inside("cli") },
      to: { path: inside("cli") },
    },
    {
      name: "nobody-imports-test",
      severity: "error",
      comment: "Nothing that is published needs the tests: move the helper into the package that it helps.",
      from: { path: "^(packages|scripts)/" },
      to: { path: "^test/" },
    },
    {
      name: "packages-by-name",
      severity: "error",
      comment: "Import a package by its name: what its exports do not list is nobody else's business.",
      from: { path: "^(packages/[^/]+|test)/" },
      to: { path: "^packages/", pathNot: "^$1/", dependencyTypes: ["local"] },
    },
    {
      name: "no-cycles",
      severity: "error",
      comment: "Two files that need each other are one file, or need a third.",
      from: { path: "^(packages|test)/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "resolvable",
      severity: "error",
      comment: "The import leads nowhere: declare the package in this folder's package.json, or correct the path.",
      // Its packages are installed by the benchmark that needs them.
      from: { pathNot: "^test/bench/peers/" },
      // Vite makes these while it bundles the inspector's page.
      to: { couldNotResolve: true, pathNot: "^virtual:" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)dist(-web)?/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.base.json" },
    enhancedResolveOptions: {
      conditionNames: ["fetch-image:source", "import", "node", "default", "types"],
      exportsFields: ["exports"],
      extensions: [".ts", ".tsx", ".mjs", ".cjs", ".js", ".d.ts"],
    },
  },
};
