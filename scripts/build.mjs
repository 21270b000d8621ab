// `pnpm build`: builds every package's dist with `tsc -b`, and the inspector's page with Vite where it has changed.
import { buildPackages, buildPage } from "./lib/prepare.mjs";

const { code, output } = await buildPackages();
process.stderr.write(output);
process.exitCode = code;
if (code === 0) await buildPage();
