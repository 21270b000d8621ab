// The work that every contestant does for a workflow, in three durable steps: (1) record that a check started, and ask
// the registry; (2) record the version, and which digest the scope stands at; (3) record the get, and give the
// reference. What is recorded has the same size for everybody.
import { Pool } from "undici";

/** Bytes of each record, as JSON. */
const sizes = { "check-started": 500, "version-found": 300, "get-recorded": 500 };

/**
 * A workflow's record of a step: JSON of the size that this step's have.
 * @param {keyof typeof sizes} type
 * @param {{workflow: string, scope?: string, digest?: string, reference?: string}} facts
 */
export function record(type, facts) {
  const bare = JSON.stringify({ type, ...facts, rest: "" });
  return JSON.stringify({ type, ...facts, rest: "x".repeat(Math.max(0, sizes[type] - bare.length)) });
}

/** Each workflow asks for a tag, and so has a scope, of its own. */
export function scopeOf(workflow) {
  return `registry-image acme/app ${workflow}`;
}

/** @param {string} registry host */
export function referenceOf(registry, workflow, digest) {
  return `${registry}/acme/app:${workflow}@${digest}`;
}

/**
 * Asks a registry over connections that are kept.
 * @param {string} registry host
 */
export function createRegistryClient(registry) {
  const pool = new Pool(`http://${registry}`, { connections: 64 });
  return {
    /** The digest of a workflow's tag. */
    async digestOf(workflow) {
      const path = `/v2/acme/app/manifests/${workflow}`;
      // undici ends the connection after every HEAD unless told not to.
      const { statusCode, headers, body } = await pool.request({ method: "HEAD", path, reset: false });
      await body.dump();
      const digest = headers["docker-content-digest"];
      if (statusCode !== 200 || typeof digest !== "string") throw new Error(`the registry answered ${statusCode}`);
      return digest;
    },
    close: () => pool.destroy(),
  };
}
