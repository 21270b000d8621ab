// A program for containers that need nothing else: no shell, no library, no package of the machine's. Each is a few
// hundred bytes of its own, so an image made of one has bytes that no runtime has seen before.

/** An ELF executable for Linux on x86-64 that prints the text to standard output and ends with the status. */
export function programThatPrints(text: string, exitStatus = 0): Buffer {
  const message = Buffer.from(text, "utf8");
  const [write, exit, standardOutput] = [1, 60, 1];
  const code = Buffer.concat([
    moveTo.eax(write),
    moveTo.edi(standardOutput),
    // The message stands behind the code: from the end of this instruction to the end of it.
    loadAddress.rsi(lengthAfterLoad),
    moveTo.edx(message.length),
    systemCall,
    moveTo.eax(exit),
    moveTo.edi(exitStatus),
    systemCall,
  ]);
  return executable(Buffer.concat([code, message]));
}

/** One that waits to be killed, as the container that holds a pod's namespaces does. */
export function programThatWaits(): Buffer {
  const pause = 34;
  const wait = Buffer.concat([moveTo.eax(pause), systemCall]);
  const jumpBack = Buffer.from([0xeb, 0x100 - (wait.length + 2)]);
  return executable(Buffer.concat([wait, jumpBack]));
}

// The instructions (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2).
const moveTo = {
  eax: (value: number): Buffer => Buffer.concat([Buffer.from([0xb8]), word(value)]),
  edx: (value: number): Buffer => Buffer.concat([Buffer.from([0xba]), word(value)]),
  edi: (value: number): Buffer => Buffer.concat([Buffer.from([0xbf]), word(value)]),
};
const loadAddress = {
  rsi: (ahead: number): Buffer => Buffer.concat([Buffer.from([0x48, 0x8d, 0x35]), word(ahead)]),
};
const systemCall = Buffer.from([0x0f, 0x05]);
const lengthAfterLoad = 5 + 2 + 5 + 5 + 2;

/** The smallest ELF-64 file that Linux loads (System V ABI, chapter 4): a header, one segment, the code. */
function executable(code: Buffer): Buffer {
  const [headerSize, segmentSize, address] = [64, 56, 0x400000n];
  const start = headerSize + segmentSize;
  const header = Buffer.alloc(start);
  // Magic; 64 bits, little endian, version 1; an executable for x86-64.
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(0x3e, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(address + BigInt(start), 24);
  header.writeBigUInt64LE(BigInt(headerSize), 32);
  header.writeUInt16LE(headerSize, 52);
  header.writeUInt16LE(segmentSize, 54);
  header.writeUInt16LE(1, 56);
  // A segment to load, readable and executable: the whole file.
  header.writeUInt32LE(1, 64);
  header.writeUInt32LE(5, 68);
  const size = BigInt(start + code.length);
  header.writeBigUInt64LE(address, 80);
  header.writeBigUInt64LE(address, 88);
  header.writeBigUInt64LE(size, 96);
  header.writeBigUInt64LE(size, 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, code]);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
