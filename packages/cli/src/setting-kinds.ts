import { isIP } from "node:net";
import { parseGoDuration, parseImageRules, parseReference } from "@fetch-image/core/basics";
import { repositoryRule, repositorySettings } from "./repository-rules.ts";

/** What a setting's text can be, and what it becomes. */
export interface SettingKind<T> {
  /** Stands behind the flag in help: `DURATION`. */
  readonly placeholder: string;
  /** Ends "… must be". */
  readonly wants: string;
  /** Undefined where the text is none of these. */
  parse(text: string): T | undefined;
  /** The value as it could be written. */
  show(value: T): string;
  /** Given again, a flag adds to the list; the environment separates by commas; the file has a list or a map. */
  readonly list?: true;
}

/** Milliseconds, written as Go writes durations: `500ms`, `1m`, `1h30m`. */
export const duration: SettingKind<number> = {
  placeholder: "DURATION",
  wants: "a duration such as 500ms, 30s or 1h30m",
  parse: millisecondsOf,
  show: showMilliseconds,
};

/** A text that is shown to nobody; undefined for none. */
export const secret: SettingKind<string | undefined> = {
  placeholder: "TEXT",
  wants: "a text of at least 16 characters, with neither spaces nor control characters",
  parse: (text) => (/^[!-~]{16,}$/.test(text) ? text : undefined),
  show: (value) => (value === undefined ? "" : "***"),
};

/** An address of this machine, and not a name: what a name leads to may change. */
export const address: SettingKind<string> = {
  placeholder: "ADDRESS",
  wants: "an address of this machine, such as 127.0.0.1, ::1 or 0.0.0.0",
  parse: (text) => (isIP(text) === 0 ? undefined : text),
  show: (value) => value,
};

/** As {@link duration}, and not 0. */
export const positiveDuration: SettingKind<number> = {
  ...duration,
  wants: "a duration of 1ms or more, such as 500ms, 30s or 1h30m",
  parse(text) {
    const ms = millisecondsOf(text);
    return ms === undefined || ms < 1 ? undefined : ms;
  },
};

export function wholeNumber(from: number, to: number): SettingKind<number> {
  return {
    placeholder: "NUMBER",
    wants: `a whole number from ${from} to ${to}`,
    parse(text) {
      const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
      return value >= from && value <= to ? value : undefined;
    },
    show: String,
  };
}

/** A share of a whole: `0.1`, `0`, `1`. */
export const share: SettingKind<number> = {
  placeholder: "SHARE",
  wants: "a number from 0 to 1, such as 0.1",
  parse(text) {
    const value = /^\d?\.?\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
    return value >= 0 && value <= 1 ? value : undefined;
  },
  show: String,
};

const sizes: { readonly [unit: string]: number } = {
  "": 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

/** Bytes that are held in memory: `4MiB`, `64KiB`, `8192`. */
export const size: SettingKind<number> = sizeUpTo("1GiB");

/** Bytes on a disk: `64GiB`. */
export const diskSize: SettingKind<number> = sizeUpTo("1024TiB");

function sizeUpTo(most: string): SettingKind<number> {
  const read = (text: string): number => {
    const [, amount = "", unit = ""] = /^(\d{1,10})(KiB|MiB|GiB|TiB|)$/.exec(text) ?? [];
    return amount === "" ? 0 : Number(amount) * (sizes[unit] ?? 1);
  };
  return {
    placeholder: "SIZE",
    wants: `a size from 1 byte to ${most}, such as 64KiB or 4MiB`,
    parse(text) {
      const bytes = read(text);
      return bytes >= 1 && bytes <= read(most) ? bytes : undefined;
    },
    show(bytes) {
      const unit = ["TiB", "GiB", "MiB", "KiB"].find((name) => bytes % (sizes[name] ?? 1) === 0);
      return unit === undefined ? String(bytes) : `${bytes / (sizes[unit] ?? 1)}${unit}`;
    },
  };
}

export function oneOf<const T extends string>(...words: readonly T[]): SettingKind<T> {
  return {
    placeholder: words.join("|"),
    wants: words.length === 1 ? `${words[0]}` : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`,
    parse: (text) => words.find((word) => word === text),
    show: (value) => value,
  };
}

/** Some of these words. */
export function listOf<const T extends string>(...words: readonly T[]): SettingKind<readonly T[]> {
  return {
    placeholder: words.join("|"),
    wants: `one or more of ${words.join(", ")}`,
    parse: (text) => {
      const items = all(text, (item) => words.some((word) => word === item));
      return items && words.filter((word) => items.includes(word));
    },
    show: (values) => values.join(","),
    list: true,
  };
}

export const boolean: SettingKind<boolean> = {
  placeholder: "true|false",
  wants: "true or false",
  parse: (text) => (text === "true" || text === "false" ? text === "true" : undefined),
  show: String,
};

/** `true` and `false`, and everything else is a file. */
export const fileOrDefault: SettingKind<string | boolean> = {
  placeholder: "FILE|true",
  wants: "the path of a file, true or false",
  parse: (text) => boolean.parse(text) ?? directory.parse(text),
  show: String,
};

export const directory: SettingKind<string> = {
  placeholder: "DIR",
  wants: "the path of a directory",
  parse: (text) => (text === "" || text.includes("\0") ? undefined : text),
  show: (value) => value,
};

/** A PostgreSQL connection string. Shown without what may be secret in it. */
export const databaseUrl: SettingKind<string | undefined> = {
  placeholder: "URL",
  wants: "postgres://user:password@host:port/database, with one host",
  parse: (text) => (/^postgres(?:ql)?:\/\//.test(text) && URL.canParse(text) ? text : undefined),
  show(value) {
    if (value === undefined) return "";
    const url = new URL(value);
    // libpq takes a password in the query, too.
    return `${url.protocol}//${url.username === "" ? "" : "***@"}${url.host}${url.pathname}${url.search === "" ? "" : "?***"}`;
  },
};

/** `postgres`, or where an EventStoreDB is. */
export const eventStore: SettingKind<string> = {
  placeholder: "postgres|URL",
  wants: "postgres, or the URL of an EventStoreDB: esdb://host:2113, esdb+discover://cluster, kurrentdb://…",
  parse: (text) => (/^(?:postgres$|(?:esdb|kurrentdb|kurrent|kdb)(?:\+discover)?:\/\/.)/.test(text) ? text : undefined),
  show: (value) => value.replace(/:\/\/[^/]*@/, "://***@").replace(/\?.*/s, "?***"),
};

/** Origins that a registry may name: `https://auth.internal:8443`. */
export const origins: SettingKind<readonly string[]> = {
  placeholder: "ORIGIN",
  wants: "origins such as https://auth.internal:8443, with no path and no credentials",
  parse: (text) => all(text, isOrigin),
  show: (values) => values.join(","),
  list: true,
};

/** Names of hosts, ports aside: `ci.example.com`. */
export const hosts: SettingKind<readonly string[]> = {
  placeholder: "HOST",
  wants: "names such as ci.example.com, without a port",
  parse: (text) => all(text, (item) => /^[a-zA-Z0-9.-]{1,253}$|^\[[0-9a-fA-F:.]+\]$/.test(item)),
  show: (values) => values.join(","),
  list: true,
};

/** Where registries are really served: `docker.io=https://mirror.internal`. */
export const endpoints: SettingKind<readonly string[]> = {
  placeholder: "DOMAIN=ORIGIN",
  wants: "pairs such as docker.io=https://mirror.internal",
  parse: (text) =>
    all(text, (item) => {
      const [domain = "", origin = "", ...rest] = item.split("=");
      return domain !== "" && rest.length === 0 && isOrigin(origin);
    }),
  show: (values) => values.join(","),
  list: true,
};

/** Images of base resource types: `git=registry.example.com/git-resource:v2`. */
export const baseTypes: SettingKind<readonly string[]> = {
  placeholder: "TYPE=IMAGE",
  wants: "pairs such as git=registry.example.com/git-resource:v2",
  parse: (text) =>
    all(text, (item) => {
      const equals = item.indexOf("=");
      return equals > 0 && parseReference(item.slice(equals + 1)).ok;
    }),
  show: (values) => values.join(","),
  list: true,
};

/** Repositories that images may be of: `ghcr.io/acme/*`, `quay.io/*=soft`. */
export const allowedImages: SettingKind<readonly string[]> = {
  placeholder: "PATTERN[=soft]",
  wants: "repositories such as ghcr.io/acme/*, with their host and without a tag",
  parse: (text) => all(text, (item) => parseImageRules({ allowed: [item] }).ok),
  show: (values) => values.join(","),
  list: true,
};

/** Repositories and digests that images may not be of. */
export const deniedImages: SettingKind<readonly string[]> = {
  ...allowedImages,
  placeholder: "PATTERN|DIGEST[=soft]",
  wants: "repositories such as docker.io/library/*, with their host and without a tag, or digests",
  parse: (text) => all(text, (item) => parseImageRules({ denied: [item] }).ok),
};

/** An address without a login; undefined for none. */
export const httpUrl: SettingKind<string | undefined> = {
  placeholder: "URL",
  wants: "an http or https URL without a login",
  parse: (text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const isPlain = url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
    return isPlain ? text : undefined;
  },
  // A query may hold what is nobody's business.
  show: (value) => (value ?? "").replace(/\?.*/s, "?***"),
};

/** Undefined for none. */
export const optionalFile: SettingKind<string | undefined> = {
  placeholder: "FILE",
  wants: "the path of a file",
  parse: (text) => directory.parse(text),
  show: (value) => value ?? "",
};

/** Keys into a JSON document: `result.allowed`. */
export const keyPath: SettingKind<string> = {
  placeholder: "KEY",
  wants: "names joined by dots, such as result.allowed",
  parse: (text) => (/^[^.\s]+(?:\.[^.\s]+)*$/.test(text) ? text : undefined),
  show: (value) => value,
};

/** Any text in one line. */
export const words: SettingKind<string> = {
  placeholder: "TEXT",
  wants: "a text in one line",
  parse: (text) => (/[\p{Cc}]/u.test(text) ? undefined : text),
  show: (value) => value,
};

/** A registry, or one and the beginning of a path, to push to; with `http://` where that is what it speaks. */
export const pushRegistry: SettingKind<string | undefined> = {
  placeholder: "REGISTRY[/PATH]",
  wants:
    "a registry, or a registry and a path, such as registry.ci.svc:5000/builds, with http:// before it for plain http",
  parse(text) {
    const prefix = text.replace(/^http:\/\//, "").replace(/\/$/, "");
    const parsed = parseReference(`${prefix}/x`);
    if (!parsed.ok || parsed.reference.tag !== undefined || parsed.reference.digest !== undefined) return undefined;
    // What is no domain would be a path on Docker Hub.
    return prefix.startsWith(parsed.reference.domain) ? text.replace(/\/$/, "") : undefined;
  },
  show: (value) => value ?? "",
};

/** A registry, or a registry and a path; undefined for none. */
export const repositoryPrefix: SettingKind<string | undefined> = {
  placeholder: "PREFIX",
  wants: "a registry, or a registry and a path: registry.example.com/mirror",
  parse: (text) => (isRepositoryPrefix(text) ? text : undefined),
  show: (value) => value ?? "",
};

/** Where nodes pull from: `docker.io=mirror.example.com/hub`. */
export const nodeRegistries: SettingKind<readonly string[]> = {
  placeholder: "FROM=TO",
  wants: "pairs such as docker.io=mirror.example.com/hub, a registry or a registry and a path on both sides",
  parse: (text) =>
    all(text, (item) => {
      const [from = "", to = "", ...rest] = item.split("=");
      return rest.length === 0 && isRepositoryPrefix(from) && isRepositoryPrefix(to);
    }),
  show: (values) => values.join(","),
  list: true,
};

/** The name of an object; undefined for none. */
export const kubernetesName: SettingKind<string | undefined> = {
  placeholder: "NAME",
  wants: "a name on Kubernetes: lower-case letters, digits, dashes and dots",
  parse: (text) => (isKubernetesName(text) ? text : undefined),
  show: (value) => value ?? "",
};

/** Names of objects. */
export const kubernetesNames: SettingKind<readonly string[]> = {
  placeholder: "NAME",
  wants: "names on Kubernetes: lower-case letters, digits, dashes and dots",
  parse: (text) => all(text, isKubernetesName),
  show: (values) => values.join(","),
  list: true,
};

/** Labels: `disk=ssd`. */
export const labels: SettingKind<readonly string[]> = {
  placeholder: "LABEL=VALUE",
  wants: "labels such as disk=ssd or topology.kubernetes.io/zone=a",
  parse: (text) =>
    all(text, (item) =>
      /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?=(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?$/.test(
        item,
      ),
    ),
  show: (values) => values.join(","),
  list: true,
};

/** Settings of some repositories: `registry.example.com/team/*=check-interval:5m;staleness-bound:24h`. */
export const repositories: SettingKind<readonly string[]> = {
  placeholder: "PATTERN=SETTING:VALUE;…",
  wants: `pairs such as registry.example.com/team/*=check-interval:5m;staleness-bound:24h, of ${repositorySettings.join(", ")}`,
  parse: (text) => all(text, (item) => repositoryRule(item) !== undefined),
  show: (values) => values.join(","),
  list: true,
};

function isRepositoryPrefix(text: string): boolean {
  const parsed = parseReference(`${text}/x`);
  // What is no domain would be taken for a path on Docker Hub.
  return parsed.ok && `${parsed.reference.domain}/${parsed.reference.path}` === `${text}/x`;
}

function isKubernetesName(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/.test(text);
}

function all(text: string, valid: (item: string) => boolean): readonly string[] | undefined {
  const items = text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
  return items.every(valid) ? items : undefined;
}

function isOrigin(text: string): boolean {
  const withScheme = text.includes("://") ? text : `https://${text}`;
  if (!URL.canParse(withScheme)) return false;
  const { protocol, pathname, search, hash, username, password } = new URL(withScheme);
  return /^https?:$/.test(protocol) && [pathname.slice(1), search, hash, username, password].every((part) => !part);
}

const milliseconds: { readonly [unit: string]: number } = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

function millisecondsOf(text: string): number | undefined {
  const nanoseconds = parseGoDuration(text);
  return nanoseconds === undefined || nanoseconds < 0n ? undefined : Number(nanoseconds / 1_000_000n);
}

function showMilliseconds(ms: number): string {
  if (ms === 0) return "0s";
  let left = ms;
  let text = "";
  for (const [unit, size] of Object.entries(milliseconds)) {
    const amount = Math.floor(left / size);
    if (amount > 0) text += `${amount}${unit}`;
    left -= amount * size;
  }
  return text;
}
