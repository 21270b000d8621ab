import { BlockList, isIP } from "node:net";
import type { ProxySettings } from "../settings.ts";
import { isLoopback, isMetadataService } from "./address.ts";

/**
 * The proxy through which `url` is asked, if any. Go's rules (golang.org/x/net/http/httpproxy), which Concourse's own
 * resource follows: never for loopback, nor, beyond Go's, for a cloud's metadata service; https only by HTTPS_PROXY; in NO_PROXY a domain covers its subdomains,
 * `.domain` only those, and IP addresses, CIDR blocks, ports and `*` are understood.
 */
export function proxyFor(url: URL, settings: ProxySettings): string | undefined {
  const proxy = url.protocol === "https:" ? settings.httpsProxy : settings.httpProxy;
  if (!proxy || isLoopback(url.hostname) || isMetadataService(url.hostname)) return undefined;
  return isExempt(url, settings.noProxy ?? "") ? undefined : proxyUrl(proxy);
}

function isExempt(url: URL, noProxy: string): boolean {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return noProxy
    .split(/[,\s]+/)
    .filter((entry) => entry !== "")
    .some((entry) => entry === "*" || covers(entry.toLowerCase(), host, port));
}

function covers(entry: string, host: string, port: string): boolean {
  if (entry.includes("/")) return isInBlock(entry, host);
  const [, name = entry, onlyPort] = /^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(entry) ?? [];
  if (onlyPort !== undefined && onlyPort !== port) return false;
  const wanted = name.replace(/^\[(.*)\]$/, "$1").replace(/^\*\./, ".");
  if (wanted.startsWith(".")) return host.endsWith(wanted);
  return host === wanted || (isIP(host) === 0 && host.endsWith(`.${wanted}`));
}

function isInBlock(entry: string, host: string): boolean {
  const [network = "", bits = ""] = entry.split("/");
  const [family, hostFamily] = [isIP(network), isIP(host)];
  const prefix = Number(bits);
  if (family === 0 || family !== hostFamily || !/^\d{1,3}$/.test(bits) || prefix > (family === 6 ? 128 : 32)) {
    return false;
  }
  const block = new BlockList();
  block.addSubnet(network, prefix, family === 6 ? "ipv6" : "ipv4");
  return block.check(host, family === 6 ? "ipv6" : "ipv4");
}

/** A proxy without a scheme is asked by http. */
export function proxyUrl(proxy: string): string {
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}
