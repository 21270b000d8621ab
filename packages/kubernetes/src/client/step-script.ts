// What runs in a step's container: POSIX shell, with no more than busybox or coreutils have.

/** Where the scripts keep their files; a volume in memory, of the pod's own. */
export const stepDirectory = "/fetch-image";
/** Where the step's output is kept until it is collected; a volume on disk, of the pod's own. */
export const outputDirectory = "/fetch-image-output";

/**
 * The container's process: waits for the request, runs the step once with it as its standard input, keeps what it prints
 * and how it ends, and goes on so that this can be collected, whoever comes for it and however often.
 */
export function supervise(argv: readonly string[]): string[] {
  return ["sh", "-c", supervisor, "step", ...argv];
}

/** Hands the request over: whole or not at all, and of several only the first. Its standard input is `bytes` long. */
export function deliver(bytes: number): string[] {
  return ["sh", "-c", deliverer, "deliver", String(bytes)];
}

/**
 * Prints what the step writes to standard error, from the byte `from` on, until the step has ended or `most` bytes are
 * printed; then, on standard output, a {@link readFrame frame}: how it ended, and at most `answer` bytes of its answer.
 */
export function collect({ from, most, answer }: { from: number; most: number; answer: number }): string[] {
  return ["sh", "-c", collector, "collect", String(from), String(most), String(answer)];
}

/** What a collector's standard output says. */
export type Frame =
  /** As much as was asked for is printed. There may be more. */
  | { readonly kind: "more" }
  /** `size`: of the whole answer, in bytes. */
  | { readonly kind: "ended"; readonly status: number; readonly size: number; readonly answer: Buffer };

/** Undefined where the frame is not complete. `most`: bytes of the answer that were asked for. */
export function readFrame(bytes: Buffer, most: number): Frame | undefined {
  const end = bytes.indexOf(0x0a);
  const [, status, size] = /^ended (\d{1,3}) (\d{1,15})$/.exec(bytes.toString("latin1", 0, Math.max(end, 0))) ?? [];
  if (status === undefined) return bytes.toString("latin1") === "more\n" ? { kind: "more" } : undefined;
  const answer = bytes.subarray(end + 1);
  if (answer.length !== Math.min(Number(size), most)) return undefined;
  return { kind: "ended", status: Number(status), size: Number(size), answer };
}

// A step's process gets the signal that ends the pod, since only the container's first process is told. `wait` ends when
// a signal comes, so it is asked again until the process is gone.
const supervisor = `
nap() { sleep 0.1 2>/dev/null || sleep 1; }
step=
ending=
trap 'if [ -z "$step" ]; then exit 143; fi; ending=yes; kill -TERM "$step" 2>/dev/null' TERM
until [ -e ${stepDirectory}/request ]; do nap; done
: > ${stepDirectory}/begun
: > ${outputDirectory}/stdout
: > ${outputDirectory}/stderr
exec 3< ${stepDirectory}/request
rm -f ${stepDirectory}/request
"$@" <&3 3<&- > ${outputDirectory}/stdout 2> ${outputDirectory}/stderr &
step=$!
exec 3<&-
while :; do
  wait "$step"
  status=$?
  kill -0 "$step" 2>/dev/null || break
done
step=
echo "$status" > ${outputDirectory}/status.new
mv ${outputDirectory}/status.new ${outputDirectory}/status
if [ -n "$ending" ]; then exit 143; fi
while :; do sleep 3600 & wait "$!"; done
`;

const deliverer = `
cd ${stepDirectory} || exit 70
if [ -e begun ] || [ -e request ]; then exit 0; fi
umask 077
head -c "$1" > "new.$$"
if [ "$(($(wc -c < "new.$$")))" -ne "$1" ]; then rm -f "new.$$"; exit 75; fi
ln "new.$$" request 2>/dev/null
rm -f "new.$$"
[ -e begun ] || [ -e request ]
`;

// The status is looked for before the sizes: whatever the step wrote stands in the files by then.
const collector = `
cd ${outputDirectory} || exit 70
from=$1
room=$2
while :; do
  ended=
  if [ -e status ]; then ended=yes; fi
  size=0
  if [ -e stderr ]; then size=$(($(wc -c < stderr))); fi
  part=$((size - from))
  if [ "$part" -gt "$room" ]; then part=$room; fi
  if [ "$part" -gt 0 ]; then
    tail -c "+$((from + 1))" stderr | head -c "$part" >&2
    from=$((from + part))
    room=$((room - part))
  fi
  if [ "$room" -le 0 ]; then echo more; exit 0; fi
  if [ -n "$ended" ]; then
    read -r status < status
    echo "ended $status $(($(wc -c < stdout)))"
    head -c "$3" stdout
    exit 0
  fi
  sleep 0.1 2>/dev/null || sleep 1
done
`;
