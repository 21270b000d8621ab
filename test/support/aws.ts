// AWS as far as a registry's login needs it: STS and ECR over HTTP on loopback, which check what real ones check.
import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listenOnLoopback } from "./listen.ts";

interface AwsKey {
  readonly id: string;
  readonly secret: string;
  readonly token?: string;
}

/** One request that came with a valid signature, or without one where none is due. */
interface AwsRequest {
  readonly action: string;
  readonly host: string;
  readonly region: string;
  /** The key that signed it; undefined where a web identity's token proves who asks. */
  readonly key: string | undefined;
  readonly role?: string;
}

export type AwsFault =
  | { readonly is: "error"; readonly status: number; readonly code: string; readonly message?: string }
  | { readonly is: "body"; readonly status: number; readonly body: string }
  | { readonly is: "hang" };

export interface AwsStandIn {
  readonly origin: string;
  /** For `endpoints` of the registry settings: the hosts of these regions, and ECR's registries. */
  endpoints(regions: readonly string[]): { readonly [host: string]: string };
  readonly requests: AwsRequest[];
  /** A key that may sign from now on. */
  addKey(key: AwsKey): void;
  /** Who holds `by`'s key may assume the role; its session gets this key. */
  addRole(arn: string, by: string, session: Required<AwsKey>): void;
  /** What this action is answered with from now on; undefined: as it should be. */
  fail(action: string, fault: AwsFault | undefined): void;
  /** What ECR gives out from now on. */
  ecr: { account: string; password: string; expiresAt: number; registry?: string };
  close(): Promise<void>;
}

export async function startAws(): Promise<AwsStandIn> {
  const keys = new Map<string, AwsKey>();
  const roles = new Map<string, { readonly by: string; readonly session: Required<AwsKey> }>();
  const faults = new Map<string, AwsFault>();
  const requests: AwsRequest[] = [];
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  const { origin, close } = await listenOnLoopback(server);
  const aws: AwsStandIn = {
    origin,
    requests,
    ecr: { account: "123456789012", password: "ecr-password", expiresAt: Date.now() + 12 * 3_600_000 },
    endpoints: (regions) => {
      const hosts = regions.flatMap((region) => {
        const suffix = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
        return [`api.ecr.${region}.${suffix}`, `sts.${region}.${suffix}`];
      });
      return Object.fromEntries(hosts.map((host) => [host, origin]));
    },
    addKey: (key) => void keys.set(key.id, key),
    addRole: (arn, by, session) => {
      roles.set(arn, { by, session });
      keys.set(session.id, session);
    },
    fail: (action, fault) => void (fault === undefined ? faults.delete(action) : faults.set(action, fault)),
    close,
  };
  return aws;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString("utf8");
    const form = new URLSearchParams(body);
    const action = form.get("Action") ?? String(request.headers["x-amz-target"]).replace(/^.*\./, "");
    const host = request.headers.host ?? "";
    const region = /^(?:api\.ecr|sts)\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/.exec(host)?.[1];
    const isSts = host.startsWith("sts.");
    const refuse = (status: number, code: string, message: string): void => {
      const xml = `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`;
      response.writeHead(status, { "content-type": isSts ? "text/xml" : "application/x-amz-json-1.1" });
      response.end(isSts ? xml : JSON.stringify({ __type: code, message }));
    };
    if (region === undefined || request.method !== "POST")
      return refuse(404, "UnknownEndpoint", `no such host: ${host}`);

    const signed =
      action === "AssumeRoleWithWebIdentity" ? undefined : signerOf(request, body, region, isSts ? "sts" : "ecr");
    if (signed?.problem !== undefined)
      return refuse(403, signed.problem, "The security token included in the request is invalid.");
    const role = form.get("RoleArn");
    requests.push({ action, host, region, key: signed?.key, ...(role === null ? {} : { role }) });

    const fault = faults.get(action);
    if (fault?.is === "hang") return;
    if (fault?.is === "error") return refuse(fault.status, fault.code, fault.message ?? "as the test wants it");
    if (fault?.is === "body") return void response.writeHead(fault.status).end(fault.body);

    if (action === "GetAuthorizationToken" && !isSts) {
      if (body !== "{}") return refuse(400, "InvalidParameterException", "nobody is to be named");
      const { account, password, expiresAt, registry } = aws.ecr;
      const suffix = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
      const authorizationData = [
        {
          authorizationToken: Buffer.from(`AWS:${password}`).toString("base64"),
          expiresAt: expiresAt / 1000,
          proxyEndpoint: `https://${registry ?? `${account}.dkr.ecr.${region}.${suffix}`}`,
        },
      ];
      return void response
        .writeHead(200, { "content-type": "application/x-amz-json-1.1" })
        .end(JSON.stringify({ authorizationData }));
    }
    if (action === "AssumeRole" || action === "AssumeRoleWithWebIdentity") {
      const known = roles.get(role ?? "");
      const by = signed?.key ?? form.get("WebIdentityToken") ?? "";
      if (known === undefined || known.by !== by || (form.get("RoleSessionName") ?? "") === "") {
        return refuse(403, "AccessDenied", `User: arn:aws:iam::1:user/x is not authorized to perform: sts:${action}`);
      }
      const { id, secret, token } = known.session;
      const credentials = `<AccessKeyId>${id}</AccessKeyId><SecretAccessKey>${secret}</SecretAccessKey><SessionToken>${token}</SessionToken><Expiration>${new Date(Date.now() + 3_600_000).toISOString()}</Expiration>`;
      return void response
        .writeHead(200, { "content-type": "text/xml" })
        .end(
          `<${action}Response><${action}Result><Credentials>${credentials}</Credentials></${action}Result></${action}Response>`,
        );
    }
    refuse(400, "InvalidAction", `nobody needs ${action}`);
  }

  /** AWS Signature Version 4, computed again with the secret of the key that it names. */
  function signerOf(
    request: IncomingMessage,
    body: string,
    region: string,
    service: string,
  ): { readonly key?: string; readonly problem?: string } {
    const pattern =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/;
    const [, id = "", date = "", inRegion, forService, names = "", signature] =
      pattern.exec(request.headers.authorization ?? "") ?? [];
    const key = keys.get(id);
    if (key === undefined || inRegion !== region || forService !== service)
      return { problem: "UnrecognizedClientException" };
    if ((request.headers["x-amz-security-token"] ?? "") !== (key.token ?? ""))
      return { problem: "InvalidClientTokenId" };
    const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
    const hmac = (secret: string | Buffer, text: string): Buffer => createHmac("sha256", secret).update(text).digest();
    const headers = names.split(";").map((name) => `${name}:${String(request.headers[name] ?? "").trim()}\n`);
    const canonical = [request.method, request.url, "", headers.join(""), names, sha256(body)].join("\n");
    const scope = `${date}/${region}/${service}/aws4_request`;
    const toSign = ["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, sha256(canonical)].join("\n");
    const signing = [date, region, service, "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${key.secret}`);
    const expected = hmac(signing, toSign).toString("hex");
    return expected === signature && names.split(";").includes("host")
      ? { key: id }
      : { problem: "SignatureDoesNotMatch" };
  }
}
