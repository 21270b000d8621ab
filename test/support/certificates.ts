// X.509 certificates for tests, made here so that no test depends on a program, nor on a file that expires.
import {
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  type KeyPairKeyObjectResult,
  randomBytes,
  sign,
} from "node:crypto";
import { isIP } from "node:net";

export interface TestCertificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** DER, as a token's `x5c` header has it in base64. */
  readonly der: Buffer;
  readonly privateKey: KeyObject;
  readonly name: string;
}

/** A certificate authority of the test's own. */
export function makeAuthority(name = "test private CA"): TestCertificate {
  return certify({ name, keys: newKeys(), extensions: [mayCertify] });
}

let signersKeys: KeyPairKeyObjectResult | undefined;

/** One that signs by RSA, always with the same key: finding one takes tenths of a second. */
export function makeRsaSigner(name: string): TestCertificate {
  signersKeys ??= generateKeyPairSync("rsa", { modulusLength: 2048 });
  return certify({ name, keys: signersKeys, extensions: [mayCertify] });
}

/** A server's certificate for these host names and addresses, signed by `authority`. */
export function makeServerCertificate(authority: TestCertificate, hosts: readonly string[]): TestCertificate {
  const names = hosts.map((host) =>
    isIP(host) === 4 ? der(0x87, Buffer.from(host.split(".").map(Number))) : der(0x82, Buffer.from(host, "latin1")),
  );
  return certify({
    name: hosts[0] ?? "server",
    keys: newKeys(),
    authority,
    extensions: [extension(oid.subjectAltName, sequence(...names))],
  });
}

// Of an elliptic curve: these are had at once.
const newKeys = (): KeyPairKeyObjectResult => generateKeyPairSync("ec", { namedCurve: "prime256v1" });

interface Request {
  readonly name: string;
  readonly keys: KeyPairKeyObjectResult;
  readonly authority?: TestCertificate;
  readonly extensions: readonly Buffer[];
}

function certify({ name, keys: { publicKey, privateKey }, authority, extensions }: Request): TestCertificate {
  const now = Date.now();
  const signer = authority?.privateKey ?? privateKey;
  const algorithm = sequence(
    ...(signer.asymmetricKeyType === "rsa" ? [oid.sha256WithRsa, der(0x05)] : [oid.sha256WithEcdsa]),
  );
  const body = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([0x01]), randomBytes(8)])),
    algorithm,
    commonName(authority?.name ?? name),
    sequence(utcTime(now - 3_600_000), utcTime(now + 30 * 86_400_000)),
    commonName(name),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign("sha256", body, signer);
  const certificate = sequence(body, algorithm, der(0x03, Buffer.from([0]), signature));
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
  return {
    cert: ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n"),
    key: createPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" }))
      .export({ type: "pkcs8", format: "pem" })
      .toString(),
    der: certificate,
    privateKey,
    name,
  };
}

const oid = {
  sha256WithRsa: der(0x06, Buffer.from("2a864886f70d01010b", "hex")),
  sha256WithEcdsa: der(0x06, Buffer.from("2a8648ce3d040302", "hex")),
  commonName: der(0x06, Buffer.from("550403", "hex")),
  subjectAltName: der(0x06, Buffer.from("551d11", "hex")),
  basicConstraints: der(0x06, Buffer.from("551d13", "hex")),
};

const mayCertify = extension(oid.basicConstraints, sequence(der(0x01, Buffer.from([0xff]))), true);

/** A DER element (ITU-T X.690): tag, length, content. */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const length = Buffer.from(content.length.toString(16).padStart(content.length > 0xff ? 4 : 2, "0"), "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, content]);
}

function sequence(...contents: readonly Buffer[]): Buffer {
  return der(0x30, ...contents);
}

function integer(bytes: Buffer): Buffer {
  return der(0x02, bytes);
}

function commonName(name: string): Buffer {
  return sequence(der(0x31, sequence(oid.commonName, der(0x0c, Buffer.from(name, "utf8")))));
}

function utcTime(ms: number): Buffer {
  return der(0x17, Buffer.from(`${new Date(ms).toISOString().replace(/\D/g, "").slice(2, 14)}Z`, "latin1"));
}

function extension(id: Buffer, value: Buffer, critical = false): Buffer {
  return sequence(id, ...(critical ? [der(0x01, Buffer.from([0xff]))] : []), der(0x04, value));
}
