// An API server and a kubelet small enough for tests: pods, Secrets and events over HTTPS, real watches, real exec, and
// pods whose processes run on this machine. It misbehaves where it is told to.
import { mkdtempSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { makeAuthority, makeServerCertificate } from "../certificates.ts";
import { listenOnLoopback } from "../listen.ts";
import { ExecServer, refuse } from "./exec-server.ts";
import { Kubelet } from "./kubelet.ts";
import { type KubeObject, KubeObjects } from "./objects.ts";
import { status } from "./status.ts";
import { Watches } from "./watch.ts";

/** A rule of a Role: which verbs are allowed on which resources. */
export interface RoleRule {
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

interface Fault {
  readonly verb: string;
  readonly resource: string;
  /** The answer instead of the right one; without it, what was asked for is done, and the connection breaks before the answer. */
  readonly status?: number;
  readonly message?: string;
  readonly retryAfter?: number;
}

interface Asked {
  readonly verb: string;
  readonly resource: string;
  readonly name?: string;
}

export interface KubeServer extends AsyncDisposable {
  /** A kubeconfig file for it. */
  readonly kubeconfig: string;
  readonly objects: KubeObjects;
  readonly kubelet: Kubelet;
  readonly watches: Watches;
  readonly execs: ExecServer;
  /** What was asked, in order. */
  readonly asked: Asked[];
  /** What the service account may do; everything where it is undefined. */
  role: readonly RoleRule[] | undefined;
  /** The next request that fits is answered so; as many as are pushed. */
  readonly faults: Fault[];
}

export async function startKubeServer(): Promise<KubeServer> {
  const directory = mkdtempSync(join(tmpdir(), "kube-"));
  const authority = makeAuthority();
  const { cert, key } = makeServerCertificate(authority, ["127.0.0.1"]);
  const objects = new KubeObjects();
  const kubelet = new Kubelet(objects, directory);
  const watches = new Watches(objects);
  const execs = new ExecServer();
  const asked: Asked[] = [];
  const faults: Fault[] = [];
  const context = { objects, watches };

  /** Counts the request, and says why it is refused. */
  const refusal = (one: Asked): Fault | undefined => {
    asked.push(one);
    const { verb, resource } = one;
    const allowed = server.role?.some((rule) => rule.resources.includes(resource) && rule.verbs.includes(verb)) ?? true;
    if (!allowed) {
      return { verb, resource, status: 403, message: `${resource} is forbidden: User "ci" cannot ${verb} resource` };
    }
    const index = faults.findIndex((fault) => fault.verb === verb && fault.resource === resource);
    return index === -1 ? undefined : faults.splice(index, 1)[0];
  };

  const listener = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readBody(request);
    if (request.headers.authorization !== `Bearer ${token}`)
      return answer(response, status(401, "Unauthorized", "Unauthorized"));
    const route = routeOf(request);
    if (route === undefined) return answer(response, status(404, "NotFound", "the server could not find it"));
    const makes =
      route.verb === "patch" && objects.get(route.resource, route.namespace, route.name ?? "") === undefined;
    // Who makes an object by applying it must be allowed to.
    const fault = refusal(route) ?? (makes ? refusal({ ...route, verb: "create" }) : undefined);
    if (fault?.status !== undefined) {
      if (fault.retryAfter !== undefined) response.setHeader("retry-after", fault.retryAfter);
      return answer(response, status(fault.status, "Refused", fault.message ?? "refused"));
    }
    if (route.verb === "watch") return watches.begin({ ...route, matches: matcher(route.query) }, response);
    const result = act(context, route, body);
    if (fault !== undefined) request.socket.destroy();
    else answer(response, result);
  };
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const route = routeOf(request);
    if (route?.resource !== "pods/exec" || route.name === undefined)
      return refuse(socket, 404, "NotFound", "no such path");
    // A WebSocket begins with a GET; newer servers ask for the verb of a POST besides.
    const fault = refusal({ ...route, verb: "get" }) ?? refusal({ ...route, verb: "create" });
    if (fault?.status !== undefined) {
      const headers = fault.retryAfter === undefined ? "" : `retry-after: ${fault.retryAfter}\r\n`;
      return refuse(socket, fault.status, "Refused", fault.message ?? "refused", headers);
    }
    if (fault !== undefined) return void socket.destroy();
    const pod = objects.get("pods", route.namespace, route.name);
    if (pod === undefined) return refuse(socket, 404, "NotFound", `pods "${route.name}" not found`);
    if (!kubelet.running(pod)) {
      return refuse(socket, 500, "InternalError", "unable to upgrade connection: container not found");
    }
    execs.upgrade(request, socket, head, () => kubelet.exec(pod, route.query.getAll("command")));
  };
  const https = createServer({ cert, key }, (request, response) => void listener(request, response));
  https.on("upgrade", upgrade);
  const { host, close } = await listenOnLoopback(https);
  const kubeconfig = join(directory, "kubeconfig");
  writeFileSync(kubeconfig, JSON.stringify(kubeconfigOf(`https://${host}`, authority.cert)));
  const server: KubeServer = {
    kubeconfig,
    objects,
    kubelet,
    watches,
    execs,
    asked,
    role: undefined,
    faults,
    async [Symbol.asyncDispose]() {
      execs.stop();
      kubelet.stop();
      await close();
    },
  };
  return server;
}

const token = "test-service-account";

function kubeconfigOf(server: string, ca: string): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "stub", cluster: { server, "certificate-authority-data": Buffer.from(ca).toString("base64") } }],
    users: [{ name: "ci", user: { token } }],
    contexts: [{ name: "stub", context: { cluster: "stub", user: "ci", namespace: "builds" } }],
    "current-context": "stub",
  };
}

interface Route extends Asked {
  readonly namespace: string;
  readonly query: URLSearchParams;
}

function routeOf({ method = "GET", url = "/" }: IncomingMessage): Route | undefined {
  const { pathname, searchParams: query } = new URL(url, "https://stub");
  const [, namespace, resource, name, sub] =
    /^\/api\/v1\/namespaces\/([^/]+)\/(pods|secrets|events)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(pathname) ?? [];
  if (namespace === undefined || resource === undefined) return undefined;
  const reads = query.get("watch") === "true" ? "watch" : name === undefined ? "list" : "get";
  const verbs: { readonly [method: string]: string } = {
    GET: reads,
    POST: "create",
    PUT: "update",
    PATCH: "patch",
    DELETE: "delete",
  };
  const verb = verbs[method];
  if (verb === undefined) return undefined;
  const full = sub === undefined ? resource : `${resource}/${sub}`;
  return { verb, resource: full, namespace, query, ...(name === undefined ? {} : { name }) };
}

function matcher(query: URLSearchParams): (object: KubeObject) => boolean {
  const pairs = (selector: string | null): [string, string][] =>
    (selector ?? "").split(",").flatMap((pair) => {
      const [key = "", value = ""] = pair.split("=");
      return key === "" ? [] : [[key, value]];
    });
  const labels = pairs(query.get("labelSelector"));
  const fields = pairs(query.get("fieldSelector"));
  return (object) =>
    labels.every(([key, value]) => object.metadata.labels?.[key] === value) &&
    fields.every(([path, value]) => String(at(object, path.split("."))) === value);
}

function at(value: unknown, path: readonly string[]): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  return at((value as Record<string, unknown> | undefined)?.[first], rest);
}

function act(
  { objects }: { readonly objects: KubeObjects },
  { verb, resource, namespace, name = "", query }: Route,
  body: KubeObject | undefined,
): object {
  const found = objects.get(resource, namespace, name);
  const unknown = status(404, "NotFound", `${resource} "${name}" not found`);
  switch (verb) {
    case "list": {
      const items = objects.list(resource, namespace).filter(matcher(query));
      return { kind: "List", apiVersion: "v1", metadata: { resourceVersion: String(objects.version) }, items };
    }
    case "get":
      return found ?? unknown;
    case "create": {
      if (body === undefined) return status(400, "BadRequest", "no body");
      const taken = objects.get(resource, namespace, body.metadata.name) !== undefined;
      if (taken) return status(409, "AlreadyExists", `${resource} "${body.metadata.name}" already exists`);
      return objects.create(resource, namespace, body);
    }
    case "update":
      if (found === undefined || body === undefined) return unknown;
      if (body.metadata.resourceVersion !== found.metadata.resourceVersion) {
        return status(409, "Conflict", "the object has been modified; please apply your changes to the latest version");
      }
      return objects.update(resource, found, (copy) => Object.assign(copy, body));
    case "patch":
      return body === undefined ? unknown : applied(objects, { resource, namespace, name }, body);
    case "delete":
      return found === undefined ? unknown : deleted(objects, resource, found, body);
    default:
      return status(405, "MethodNotAllowed", verb);
  }
}

/** Server-side apply: what is given is made or taken over; owners are a list by uid, which several may fill. */
function applied(
  objects: KubeObjects,
  { resource, namespace, name }: { resource: string; namespace: string; name: string },
  given: KubeObject,
): object {
  const found = objects.get(resource, namespace, name);
  if (found === undefined) return objects.create(resource, namespace, given);
  return objects.update(resource, found, (copy) => {
    const { metadata, ...fields } = given;
    const owners = new Map((copy.metadata.ownerReferences ?? []).map((owner) => [owner.uid, owner]));
    for (const owner of metadata.ownerReferences ?? []) owners.set(owner.uid, owner);
    Object.assign(copy, fields);
    copy.metadata.labels = { ...copy.metadata.labels, ...metadata.labels };
    if (owners.size > 0) copy.metadata.ownerReferences = [...owners.values()];
  });
}

function deleted(objects: KubeObjects, resource: string, found: KubeObject, body: KubeObject | undefined): object {
  const options = body as { preconditions?: { uid?: string }; gracePeriodSeconds?: number } | undefined;
  const uid = options?.preconditions?.uid;
  if (uid !== undefined && uid !== found.metadata.uid)
    return status(409, "Conflict", "the UID in the precondition does not match");
  if (resource !== "pods" || options?.gracePeriodSeconds === 0) {
    objects.delete(resource, found);
    return found;
  }
  if (found.metadata.deletionTimestamp !== undefined) return found;
  return objects.update(resource, found, ({ metadata }) => {
    metadata.deletionTimestamp = new Date().toISOString();
    metadata.deletionGracePeriodSeconds = options?.gracePeriodSeconds ?? 30;
  });
}

function answer(response: ServerResponse, object: object): void {
  const { code = 200 } = object as { code?: number };
  response.writeHead(code, { "content-type": "application/json" });
  response.end(JSON.stringify(object));
}

async function readBody(request: IncomingMessage): Promise<KubeObject | undefined> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === "" ? undefined : (JSON.parse(text) as KubeObject);
}
