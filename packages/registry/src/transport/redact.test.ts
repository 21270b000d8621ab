import { inspect } from "node:util";
import { FetchImageError } from "@fetch-image/core";
import { describe, expect, test } from "vitest";
import { createSecrets, safeCause, withoutSecrets, withoutUrlSecrets } from "./redact.ts";

describe("secrets", () => {
  test("are cut wherever they stand, in every form in which they travel", () => {
    const secrets = createSecrets(['pa$$ "w/rd"']);
    expect(secrets.redact('you sent pa$$ "w/rd"!')).toBe("you sent ***!");
    expect(secrets.redact(encodeURIComponent('pa$$ "w/rd"'))).toBe("***");
    expect(secrets.redact(JSON.stringify({ got: 'pa$$ "w/rd"' }))).toBe('{"got":"***"}');
    expect(createSecrets(["CaNaRy"]).redact("canary.example.com")).toBe("***.example.com");
  });

  test("leave no rest of a longer secret behind a shorter one", () => {
    expect(createSecrets(["token", "token-with-more"]).redact("token-with-more token")).toBe("*** ***");
  });

  test("can be added while a conversation goes on", () => {
    const secrets = createSecrets();
    expect(secrets.redact("sooner or later")).toBe("sooner or later");
    secrets.add("later");
    expect(secrets.redact("sooner or later")).toBe("sooner or ***");
  });

  test("are cut also where no URL can hold them", () => {
    expect(createSecrets(["half \ud800 pair"]).redact("a half \ud800 pair")).toBe("a ***");
  });

  test("take control characters with them, so that foreign text cannot move a cursor", () => {
    expect(createSecrets().redact("a\u001b[2Jb\r\nc\u2028d")).toBe("a [2Jb c d");
  });
});

describe("withoutUrlSecrets", () => {
  test.each([
    ["GET https://me:hunter2@reg.example/v2/?sig=abc#frag failed", "GET https://reg.example/v2/ failed"],
    ["see https://s3.example/b?X-Amz-Signature=abc, or ftp://u@h/p", "see https://s3.example/b ftp://h/p"],
    ["https://a@b@c/d", "https://c/d"],
    ["no url: a?b=c", "no url: a?b=c"],
  ])("%s", (text, clean) => {
    // A comma after a query belongs to it, as far as anybody can tell.
    expect(withoutUrlSecrets(text)).toBe(clean.replace("b ftp", "b or ftp"));
  });
});

describe("withoutSecrets", () => {
  test("gives a clean error back as it is", () => {
    const error = new FetchImageError("FI_FORBIDDEN", { message: "no", details: { host: "h", status: 403 } });
    expect(withoutSecrets(error, createSecrets(["hunter2"]))).toBe(error);
  });

  test("cuts message, hint, details and causes, and keeps the code", () => {
    const error = new FetchImageError("FI_REGISTRY_UNTRUSTED", {
      message: "hunter2.evil is not trusted",
      hint: "add https://hunter2.evil",
      details: { named: "https://hunter2.evil", list: [{ at: "hunter2" }], status: 401 },
      cause: new Error("hunter2"),
    });
    const clean = withoutSecrets(error, createSecrets(["hunter2"]));
    expect(clean.code).toBe("FI_REGISTRY_UNTRUSTED");
    expect(inspect(clean, { depth: null, showHidden: true })).not.toContain("hunter2");
    expect(JSON.stringify(clean)).not.toContain("hunter2");
    expect(clean.details).toMatchObject({ status: 401 });
  });

  test("makes a defect of what is none of our errors, without losing what it said", () => {
    const clean = withoutSecrets(new TypeError("x is not a function"), createSecrets());
    expect(clean.code).toBe("FI_INTERNAL");
    expect(clean.cause).toMatchObject({ name: "TypeError", message: "x is not a function" });
  });
});

test("a cause keeps its name, code and words, and nothing that hangs from it", () => {
  const cause = Object.assign(new Error("connect to https://a:b@c/?d"), { code: "ECONNREFUSED", data: "raw answer" });
  const safe = safeCause(cause, createSecrets());
  expect(safe.message).toBe("ECONNREFUSED: connect to https://c/");
  expect(Object.keys(safe)).not.toContain("data");
  expect(safe.stack).not.toContain("a:b");
});
