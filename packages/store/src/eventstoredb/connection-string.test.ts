import { FetchImageError } from "@fetch-image/core/fetching";
import { describe, expect, test } from "vitest";
import { describe as nameOf, parseConnectionString } from "./connection-string.ts";

describe("a connection string of EventStoreDB's", () => {
  test("names one host, several, or a name of DNS's, each with its port or the usual one", () => {
    expect(parseConnectionString("esdb://db.example")).toEqual({
      hosts: [{ address: "db.example", port: 2113 }],
      discover: false,
      credentials: undefined,
      settings: { tls: true },
    });
    expect(parseConnectionString(" esdb://a:1,b,c:3/ ").hosts).toEqual([
      { address: "a", port: 1 },
      { address: "b", port: 2113 },
      { address: "c", port: 3 },
    ]);
    expect(parseConnectionString("esdb+discover://cluster.example")).toMatchObject({ discover: true });
  });

  test.each(["kurrentdb", "kurrent", "kdb"])("may have KurrentDB's scheme %s, plain or with discovery", (scheme) => {
    expect(parseConnectionString(`${scheme}://db?tls=false`)).toEqual(parseConnectionString("esdb://db?tls=false"));
    expect(parseConnectionString(`${scheme}+discover://db`)).toEqual(parseConnectionString("esdb+discover://db"));
  });

  test("has settings whose names are found whatever their case and dashes", () => {
    const { settings } = parseConnectionString(
      "esdb://db?TLS=false&tls_ca_file=%2Fetc%2Fca.pem&Default-Deadline=500&keepaliveinterval=-1&gossipTimeout=3&throwOnAppendFailure=false",
    );
    expect(settings).toEqual({
      tls: false,
      tlsCAFile: "/etc/ca.pem",
      defaultDeadline: 500,
      keepAliveInterval: -1,
      gossipTimeout: 3,
    });
  });

  test("has user and password percent-encoded", () => {
    expect(parseConnectionString("esdb://me%40x:p%3Aw%2F@db").credentials).toEqual({
      username: "me@x",
      password: "p:w/",
    });
  });

  test("is named in messages without them", () => {
    expect(nameOf(parseConnectionString("esdb://me:hunter2@a:1,b"))).toBe("EventStoreDB at a:1,b:2113");
  });

  test.each([
    ["postgres://me:hunter2@db", "must look like"],
    ["esdb:me:hunter2@db", "must look like"],
    ["esdb://", "must look like"],
    ["esdb://me:hunter2,b", "host number 1"],
    ["esdb://a,me:hunter2", "host number 2"],
    ["esdb://db:70000", "host number 1"],
    ["esdb+discover://a,b", "one host name"],
    ["esdb://hunter2@db", "user:password"],
    ["esdb://me:hunter2:x@db", "user:password"],
    ["esdb://me:hunter2%ZZ@db", "percent-encoded"],
    ["esdb://me:hunter2@db?hunter2=1", "not known"],
    ["esdb://me:hunter2@db?tls=hunter2", "tls must be true or false"],
    ["esdb://db?tlsVerifyCert=false", "tlsCAFile"],
    ["esdb://db?keepAliveInterval=100", "10000"],
    ["esdb://db?defaultDeadline=0", "too small"],
    ["esdb://db?defaultDeadline=soon", "whole number"],
    ["esdb://db?connectionName=%ZZ", "percent-encoded"],
  ])("%s is refused, and nothing that may be a password is repeated", (text, says) => {
    let error: unknown;
    try {
      parseConnectionString(text);
    } catch (thrown) {
      error = thrown;
    }
    if (!FetchImageError.is(error)) throw new Error("it was taken");
    expect(error.code).toBe("FI_SETTING_INVALID");
    expect(error.message).toMatch(new RegExp(says));
    expect(`${error.message} ${error.hint} ${String(error.cause)}`).not.toContain("hunter2");
  });
});
