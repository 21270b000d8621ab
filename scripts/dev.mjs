// `pnpm dev [-- options of fetch-image run]`: builds on every save, and runs the demo anew after each build that
// succeeds and each change of examples/.
import { spawn } from "node:child_process";
import { watch } from "node:fs";
import { join } from "node:path";
import { install, packageFolders } from "./lib/prepare.mjs";
import { root, tool } from "./lib/process.mjs";

await install();
let demo;
let stale = false;

const compiler = spawn(tool("tsc"), ["-b", "--watch", "--preserveWatchOutput", ...packageFolders], { cwd: root });
compiler.stdout.setEncoding("utf8").on("data", (text) => {
  process.stderr.write(text);
  if (text.includes("Found 0 errors")) rerun();
});
compiler.stderr.pipe(process.stderr);
compiler.on("close", (code) => process.exit(code ?? 130));

let settling;
watch(join(root, "examples"), { recursive: true }, () => {
  // An editor saves in several steps.
  clearTimeout(settling);
  settling = setTimeout(rerun, 100);
});

process.on("SIGINT", () => {
  demo?.kill("SIGTERM");
  compiler.kill("SIGTERM");
  process.exit(130);
});

// One at a time: the demo's data directory has one writer.
function rerun() {
  if (demo === undefined) {
    start();
    return;
  }
  stale = true;
  demo.kill("SIGTERM");
}

function start() {
  stale = false;
  demo = spawn(process.execPath, ["scripts/demo.mjs", ...process.argv.slice(2)], { cwd: root, stdio: "inherit" });
  demo.on("close", () => {
    demo = undefined;
    if (stale) start();
  });
}
