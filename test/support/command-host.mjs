// Runs command lines of the built command in this one process, as the command's own process would: same code, same
// output, no terminal. Starting Node and loading the packages again costs each of them half a second of processor time.
import { Readable } from "node:stream";

const dist = new URL("../../packages/cli/dist/", import.meta.url);
const [{ main }, { createTerminal }] = await Promise.all([
  import(new URL("main.js", dist).href),
  import(new URL("terminal.js", dist).href),
]);
const { PATH = "", HOME = "" } = process.env;

process.on("message", (command) => void run(command));
process.send({ ready: true });

async function run({ id, args, cwd, env: given = {}, input = "" }) {
  const env = { PATH, HOME, ...given };
  const [stdout, stderr] = [collector(), collector()];
  const terminal = createTerminal({ stdout, stderr, env });
  const stdin = () => Readable.from(input === "" ? [] : [input]);
  const { signal } = new AbortController();
  const status = await main(args, { terminal, env, cwd, stdin, signal });
  process.send({ id, status, stdout: stdout.text, stderr: stderr.text });
}

function collector() {
  return {
    text: "",
    write(text, done) {
      this.text += text;
      done?.();
      return true;
    },
    on() {},
  };
}
