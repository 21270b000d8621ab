import { describe, expect, test } from "vitest";
import { isInward, isLoopback } from "./address.ts";

/** As a URL would name the host: numbers, octal and hexadecimal are already plain there. */
function hostOf(url: string): string {
  return new URL(url).hostname;
}

describe("isInward", () => {
  test.each([
    "http://127.0.0.1",
    "http://127.255.0.3:5000",
    "http://0.0.0.0",
    "http://10.1.2.3",
    "http://172.16.0.1",
    "http://172.31.255.255",
    "http://192.168.1.1",
    "http://169.254.169.254",
    "http://100.64.0.1",
    "http://[::1]",
    "http://[::]",
    "http://[fe80::1]",
    "http://[fd00::1]",
    "http://[::ffff:127.0.0.1]",
    "http://[::ffff:169.254.169.254]",
    "http://localhost",
    "http://LOCALHOST.",
    "http://anything.localhost",
    // Spellings that a URL parser makes an address of.
    "http://2130706433",
    "http://0x7f.1",
    "http://0177.0.0.1",
  ])("%s is inside", (url) => {
    expect(isInward(hostOf(url))).toBe(true);
  });

  test.each([
    "http://8.8.8.8",
    "http://172.32.0.1",
    "http://192.169.0.1",
    "http://100.128.0.1",
    "http://[2606:4700::1111]",
    "http://registry.example.com",
    "http://localhost.example.com",
    "http://notlocalhost",
    "http://10.example.com",
  ])("%s is not", (url) => {
    expect(isInward(hostOf(url))).toBe(false);
  });
});

test("loopback is less than inside", () => {
  expect(["127.0.0.1", "127.1.2.3", "[::1]", "localhost", "reg.localhost"].every(isLoopback)).toBe(true);
  expect(["10.0.0.1", "192.168.0.1", "0.0.0.0", "example.com"].some(isLoopback)).toBe(false);
});
