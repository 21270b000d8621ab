import { describe, expect, test } from "vitest";
import { createComplaints } from "./complaints.ts";
import { parseTarHeader, parseTarNumber } from "./tar-header.ts";

const field = (text: string): Buffer => Buffer.from(text, "latin1");

describe("a number in a tar header", () => {
  const numbers: { readonly [what: string]: readonly [text: string, value: number | undefined] } = {
    "octal digits and a NUL": ["0000644\0", 0o644],
    "octal digits without an end": ["77777777777", 0o77777777777],
    "digits between blanks": ["   644  ", 0o644],
    "digits before a NUL and what was there before": ["12\0junk", 0o12],
    nothing: ["\0\0\0\0", 0],
    "blanks alone": ["      ", 0],
    "base 256": ["\x80\0\0\x01\x02", 0x102],
    "base 256 below zero": ["\xff\xff\xff\xfe", -2],
    "the largest that is exact": ["\x80\0\0\0\0\x1f\xff\xff\xff\xff\xff\xff", Number.MAX_SAFE_INTEGER],
    "one that is not exact": ["\x80\0\0\0\0\x20\0\0\0\0\0\0", undefined],
    "base 256 far below zero": ["\xc0\0\0\0\0\0\0\0\0\0\0\0", undefined],
    "digits that are not octal": ["0000689\0", undefined],
    "a sign": ["-000001\0", undefined],
    words: ["zero", undefined],
    "digits, a blank and more": ["12 34", undefined],
  };
  for (const [what, [text, value]] of Object.entries(numbers)) {
    test(`may be ${what}: ${String(value)}`, () => {
      expect(parseTarNumber(field(text))).toBe(value);
    });
  }
});

describe("a tar header", () => {
  const complaints = createComplaints("the archive");
  const block = (edit: (block: Buffer) => void): Buffer => {
    const bytes = Buffer.alloc(512);
    bytes.write("name");
    edit(bytes);
    return bytes;
  };
  const sealed = (bytes: Buffer, signed: boolean): Buffer => {
    bytes.write("        ", 148);
    const sum = bytes.reduce((total, byte) => total + (signed && byte > 127 ? byte - 256 : byte), 0);
    bytes.write(`${sum.toString(8)}\0`, 148);
    return bytes;
  };

  test("has a sum of bytes, or of signed characters as old writers had it", () => {
    for (const signed of [false, true]) {
      const bytes = sealed(
        block((each) => each.write("na\xefve", "latin1")),
        signed,
      );
      expect(parseTarHeader(bytes, complaints).name).toBe("na\xefve");
    }
  });

  test("with another sum is refused", () => {
    const bytes = sealed(
      block(() => undefined),
      false,
    );
    bytes[0] = 0x4e;
    expect(() => parseTarHeader(bytes, complaints)).toThrow('the archive, entry "Name": a header\'s checksum is wrong');
  });

  test("joins POSIX's prefix to the name, all 155 bytes of it, but 131 of star's", () => {
    const long = "p".repeat(155);
    const posix = block((each) => {
      each.write("ustar\u000000", 257, "latin1");
      each.write(long, 345);
    });
    expect(parseTarHeader(sealed(posix, false), complaints).name).toBe(`${long}/name`);
    const star = block((each) => {
      each.write("ustar\u000000", 257, "latin1");
      each.write(long, 345);
      each.write("tar\0", 508, "latin1");
    });
    expect(parseTarHeader(sealed(star, false), complaints).name).toBe(`${"p".repeat(131)}/name`);
  });

  test("of GNU's has times where POSIX has a prefix", () => {
    const gnu = block((each) => {
      each.write("ustar  \0", 257, "latin1");
      each.write("17000000000", 345);
    });
    expect(parseTarHeader(sealed(gnu, false), complaints).name).toBe("name");
  });
});
