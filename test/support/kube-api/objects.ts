import { randomUUID } from "node:crypto";

/** An API object, as JSON has it. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace: string;
    uid: string;
    resourceVersion: string;
    creationTimestamp: string;
    deletionTimestamp?: string;
    deletionGracePeriodSeconds?: number;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    ownerReferences?: { apiVersion: string; kind: string; name: string; uid: string }[];
  };
  [field: string]: unknown;
}

export interface KubeChange {
  readonly version: number;
  readonly resource: string;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubeObject;
}

/** What etcd is to an API server: objects, each change with a version of its own, and a history that can be forgotten. */
export class KubeObjects {
  readonly #objects = new Map<string, KubeObject>();
  readonly #listeners = new Set<(change: KubeChange) => void>();
  #history: KubeChange[] = [];
  #version = 1000;
  /** Changes up to this version are forgotten. */
  forgotten = 0;

  get version(): number {
    return this.#version;
  }

  get(resource: string, namespace: string, name: string): KubeObject | undefined {
    return this.#objects.get(`${resource}/${namespace}/${name}`);
  }

  list(resource: string, namespace?: string): KubeObject[] {
    const prefix = namespace === undefined ? `${resource}/` : `${resource}/${namespace}/`;
    return [...this.#objects].filter(([key]) => key.startsWith(prefix)).map(([, object]) => object);
  }

  create(resource: string, namespace: string, given: KubeObject): KubeObject {
    const made: KubeObject = {
      ...given,
      metadata: {
        ...given.metadata,
        namespace,
        uid: randomUUID(),
        resourceVersion: "",
        creationTimestamp: new Date().toISOString(),
      },
    };
    return this.#put(resource, made, "ADDED");
  }

  /** `change` gets a copy, and changes it. */
  update(resource: string, object: KubeObject, change: (copy: KubeObject) => void): KubeObject {
    const { namespace, name } = object.metadata;
    const copy = structuredClone(this.get(resource, namespace, name) ?? object);
    change(copy);
    return this.#put(resource, copy, "MODIFIED");
  }

  delete(resource: string, object: KubeObject): void {
    const { namespace, name } = object.metadata;
    const key = `${resource}/${namespace}/${name}`;
    const found = this.#objects.get(key);
    if (found?.metadata.uid !== object.metadata.uid) return;
    this.#objects.delete(key);
    const last = structuredClone(found);
    last.metadata.resourceVersion = String(++this.#version);
    this.#tell({ version: this.#version, resource, type: "DELETED", object: last });
  }

  /** Changes after a version; undefined where they are forgotten. */
  since(version: number, resource: string): readonly KubeChange[] | undefined {
    if (version < this.forgotten) return undefined;
    return this.#history.filter((change) => change.version > version && change.resource === resource);
  }

  /** What happened so far can be asked for no more. */
  forget(): void {
    this.#history = [];
    this.forgotten = ++this.#version;
  }

  onChange(listener: (change: KubeChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #put(resource: string, object: KubeObject, type: "ADDED" | "MODIFIED"): KubeObject {
    const { namespace, name } = object.metadata;
    object.metadata.resourceVersion = String(++this.#version);
    this.#objects.set(`${resource}/${namespace}/${name}`, object);
    this.#tell({ version: this.#version, resource, type, object });
    return object;
  }

  #tell(change: KubeChange): void {
    this.#history.push(change);
    for (const listener of this.#listeners) listener(change);
  }
}
