import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { installPacked, type Project, root } from "./installed.ts";

/** What an entry may load beside core and its libraries. An entry that is not here does not ship. */
const drivers: Record<string, readonly string[]> = {
  "@fetch-image/core": [],
  "@fetch-image/core/basics": [],
  "@fetch-image/core/fetching": [],
  "@fetch-image/core/registry-image": [],
  "@fetch-image/engine": [],
  "@fetch-image/engine/redact": [],
  "@fetch-image/inspector": ["@fetch-image/engine"],
  "@fetch-image/inspector/stately": ["@fetch-image/engine", "ws"],
  "@fetch-image/kubernetes": [],
  "@fetch-image/kubernetes/client": kubernetesClient(),
  "@fetch-image/kubernetes/opa": [],
  "@fetch-image/registry": ["undici"],
  "@fetch-image/registry/client": ["undici"],
  "@fetch-image/registry/embedded": [],
  "@fetch-image/store/archive": [],
  "@fetch-image/store/copy": [],
  "@fetch-image/store/eventstoredb": ["@eventstore/db-client"],
  "@fetch-image/store/filesystem": [],
  "@fetch-image/store/memory": [],
  "@fetch-image/store/pglite": ["@electric-sql/pglite"],
  "@fetch-image/store/postgres": ["pg"],
};
/** The client, and what it loads itself. */
function kubernetesClient(): readonly string[] {
  const logins = ["openid-client", "oauth4webapi", "jose", "rfc4648"];
  const connections = ["ws", "isomorphic-ws", "node-fetch", "hpagent", "socks-proxy-agent", "stream-buffers", "tar-fs"];
  return ["@kubernetes/client-node", "js-yaml", "jsonpath-plus", ...logins, ...connections];
}

const coreLibraries = ["xstate", "zod", "yaml", "re2js"];

let project: Project;
beforeAll(async () => {
  project = await installPacked();
  project.write("trace.mjs", traceOfImports);
}, 180_000);
afterAll(() => project[Symbol.dispose]());

describe("the packages as published", () => {
  test("hold what is built, and neither tests nor sources", () => {
    for (const [tarball, files] of project.tarballs) {
      const stray = files.filter((file) => !/^package\/(dist|dist-web|sql)\/|^package\/[^/]+$/.test(file));
      expect([tarball, stray]).toEqual([tarball, []]);
      expect([tarball, files.filter((file) => /[.]test[.]|tsbuildinfo|[^d][.]ts$/.test(file))]).toEqual([tarball, []]);
      expect(files).toContain("package/LICENSE");
    }
  });

  test("have the entries that we know of", () => {
    expect(project.entries.toSorted()).toEqual(Object.keys(drivers).toSorted());
  });

  test("compile in a strict TypeScript project", () => {
    const imports = project.entries.map((entry, index) => `export * as entry${index} from "${entry}";`);
    project.write("consumer.ts", `${imports.join("\n")}\n`);
    project.write("tsconfig.json", JSON.stringify(consumerConfig));
    symlinkSync(join(root, "node_modules", "@types"), join(project.folder, "types"));
    const { stdout, status } = project.run(join(root, "node_modules", ".bin", "tsc"), "-p", ".");
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });
});

describe("an import drags in no more than its entry says", () => {
  test.each(Object.entries(drivers))("%s", (entry, allowed) => {
    project.write("import.mjs", `import * as entry from "${entry}"; console.log(Object.keys(entry).length);`);
    const { stdout, stderr, loaded } = traced("import.mjs");
    expect(stderr).toBe("");
    expect(Number(stdout), "exported names").toBeGreaterThan(0);
    const own = entry.split("/").slice(0, 2).join("/");
    expect(loaded).toContain(own);
    expect(loaded.filter((name) => ![own, "@fetch-image/core", ...coreLibraries, ...allowed].includes(name))).toEqual(
      [],
    );
  });

  test("an engine on PostgreSQL reads no YAML", () => {
    project.write("embed.mjs", `import "@fetch-image/engine"; import "@fetch-image/store/postgres";`);
    const { loaded, status } = traced("embed.mjs");
    expect(status).toBe(0);
    expect(loaded).toContain("zod");
    expect(loaded).not.toContain("yaml");
  });

  test("the command loads no driver to parse a reference", () => {
    const bin = join("node_modules", "@fetch-image", "cli", "dist", "bin.js");
    const { stdout, status, loaded } = traced(bin, "ref", "busybox", "--json");
    expect(status).toBe(0);
    expect(stdout).toContain('"canonical":"docker.io/library/busybox:latest"');
    expect(loaded.filter((name) => Object.values(drivers).flat().includes(name))).toEqual([]);
  });
});

const consumerConfig = {
  compilerOptions: {
    strict: true,
    module: "nodenext",
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    noEmit: true,
    skipLibCheck: false,
    typeRoots: ["./types"],
    types: ["node"],
  },
  files: ["consumer.ts"],
};

const trace = "loaded.txt";

/** Runs a program and tells the names of the npm packages that it loaded. */
function traced(...program: string[]): ReturnType<Project["run"]> & { readonly loaded: readonly string[] } {
  const file = project.write(trace, "");
  const ran = project.run(process.execPath, "--import", "./trace.mjs", ...program);
  const names = readFileSync(file, "utf8").split("\n");
  return { ...ran, loaded: [...new Set(names.filter((name) => name !== ""))] };
}

// Node calls `load` for each module on a thread of its own. It writes to a file: the program's pipe may be full, and
// where the main thread made it non-blocking, a write of this thread fails.
const traceOfImports = `
import { register } from "node:module";
const hooks = \`
  import { appendFileSync } from "node:fs";
  export function load(url, context, next) {
    const name = /.*\\\\/node_modules\\\\/((?:@[^/]+\\\\/)?[^/]+)\\\\//.exec(url)?.[1];
    if (name !== undefined) appendFileSync("${trace}", name + "\\\\n");
    return next(url, context);
  }\`;
register("data:text/javascript," + encodeURIComponent(hooks));
`;
