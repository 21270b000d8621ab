// `pnpm build`: builds every package's dist with `tsc -b`.
import { buildPackages } from "./lib/prepare.mjs";

const { code, output } = await buildPackages();
process.stderr.write(output);
process.exitCode = code;
