// `npm start [-- options of fetch-image run]`: from a fresh clone to the main job on examples/.
// Installs and builds what is not up to date, then hands over to scripts/demo.mjs. Data goes to standard output,
// progress to standard error; the exit status is the demo's own, 130 when interrupted.
import { prepare } from "./lib/prepare.mjs";
import { inSeconds, runInForeground } from "./lib/process.mjs";

const started = performance.now();
const stop = () => process.exit(130);
process.on("SIGINT", stop);
try {
  const { install, build } = await prepare();
  process.off("SIGINT", stop);
  const handedOver = performance.now();
  const code = await runInForeground(process.execPath, ["scripts/demo.mjs", ...process.argv.slice(2)]);
  const now = performance.now();
  const times = { install, build, run: (now - handedOver) / 1000, total: (now - started) / 1000 };
  const told = Object.entries(times).map(([what, seconds]) => `${what} ${inSeconds(seconds)}`);
  process.stderr.write(`\n${told.join(" · ")}\n`);
  process.exitCode = code;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
