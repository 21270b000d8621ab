import { BlockList, isIP } from "node:net";

/**
 * Whether a URL's host is an address that only means something inside: loopback, private, link-local, carrier-grade
 * NAT, unspecified, or the name `localhost`. Names are not looked up: a registry inside a company has an inside name.
 * IPv4-mapped IPv6 addresses count as their IPv4 address.
 */
export function isInward(hostname: string): boolean {
  return isLocalName(hostname) || isIn(inward, hostname);
}

/** `localhost`, `*.localhost`, 127.0.0.0/8 and ::1: http is spoken there without being asked for. */
export function isLoopback(hostname: string): boolean {
  return isLocalName(hostname) || isIn(loopback, hostname);
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8);
loopback.addAddress("::1", "ipv6");

/**
 * 169.254.0.0/16, and the address on which Amazon's machines answer on IPv6: a cloud tells a machine there who it is. A
 * proxy that was asked instead would tell who the proxy is.
 */
export function isMetadataService(hostname: string): boolean {
  return isIn(metadataServices, hostname);
}

const metadataServices = new BlockList();
metadataServices.addSubnet("169.254.0.0", 16);
metadataServices.addAddress("fd00:ec2::254", "ipv6");

// IANA's special-purpose address registries (RFC 6890), as far as a request could reach something there.
const inward = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
] as const) {
  inward.addSubnet(network, prefix);
}
for (const [network, prefix] of [
  ["::", 127],
  ["fc00::", 7],
  ["fe80::", 10],
] as const) {
  inward.addSubnet(network, prefix, "ipv6");
}

function isLocalName(hostname: string): boolean {
  return /^(?:.+\.)?localhost\.?$/i.test(hostname);
}

function isIn(list: BlockList, hostname: string): boolean {
  const address = hostname.replace(/^\[(.*)\]$/, "$1");
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 6 ? "ipv6" : "ipv4");
}
