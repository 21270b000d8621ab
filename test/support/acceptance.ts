import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CheckPlan, EventLog, GetPlan, ReadModel, StepContext, StepRunner, Version } from "@fetch-image/core";
import { createFetchImageEngine, type EngineOptions, type FetchImageEngine } from "@fetch-image/engine";
import { createImageRegistry, createRegistryImageRunner } from "@fetch-image/registry";
import { createFileArtifactStore } from "@fetch-image/store/filesystem";
import { createPostgresEventLog, createPostgresReadModel } from "@fetch-image/store/postgres";
import { Client } from "pg";
import { assertReadable } from "./concourse-readers/readable.ts";
import { type DockerRegistry, dockerRegistryMissing, startDockerRegistry } from "./docker-registry.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "./postgres.ts";
import { type RecordingProxy, startRecordingProxy } from "./recording-proxy.ts";

/** Why the acceptance tests cannot run here; undefined where they can. */
export function acceptanceMissing(): string | undefined {
  return dockerRegistryMissing() ?? postgresMissing();
}

/** The real path: Debian's registry, with a recorder before it, and a PostgreSQL of the tests' own. */
export interface Ground extends AsyncDisposable {
  readonly registry: DockerRegistry;
  /** What the registry was asked. Its host stands in every source. */
  readonly asked: RecordingProxy;
  /** Every row of every table that the scene's stores made, as text. */
  dump(scene: AcceptanceScene): Promise<string>;
  /** An engine over an empty database. */
  scene(options?: SceneOptions): Promise<AcceptanceScene>;
}

interface SceneOptions extends Partial<EngineOptions> {
  /** False: the engine has no registry client, and every check is a step. */
  readonly nativeChecks?: boolean;
}

interface AcceptanceScene extends AsyncDisposable {
  readonly databaseUrl: string;
  readonly engine: FetchImageEngine;
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
}

export async function startGround(): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), "fetch-image-acceptance-"));
  const registry = await startDockerRegistry();
  const asked = await startRecordingProxy(registry.host);
  const postgres: TestPostgres = await startPostgres();
  const oci = createImageRegistry();
  const artifacts = createRegistryImageRunner({
    registry: oci,
    store: createFileArtifactStore({ directory: folder }),
    directory: join(folder, "gets"),
  });
  return {
    registry,
    asked,
    async scene({ nativeChecks = true, ...options } = {}) {
      const connectionString = await postgres.createDatabase();
      const eventLog = createPostgresEventLog({ connectionString });
      const readModel = createPostgresReadModel({ connectionString });
      const engine = createFetchImageEngine({
        eventLog,
        readModel,
        ...(nativeChecks ? { registry: oci } : {}),
        artifacts,
        nativeImageFetch: true,
        ...options,
      });
      asked.clear();
      return {
        databaseUrl: connectionString,
        engine,
        eventLog,
        readModel,
        async [Symbol.asyncDispose]() {
          await engine.close();
          await assertReadable(eventLog);
          await readModel.close();
          await eventLog.close();
        },
      };
    },
    async dump({ databaseUrl }) {
      const client = new Client({ connectionString: databaseUrl });
      await client.connect();
      try {
        const { rows: tables } = await client.query<{ name: string }>(
          `select format('%I.%I', schemaname, tablename) as name from pg_tables
             where schemaname not in ('pg_catalog', 'information_schema')`,
        );
        const texts: string[] = [];
        for (const { name } of tables) {
          const { rows } = await client.query<{ row: string }>(`select t::text as row from ${name} t`);
          texts.push(name, ...rows.map(({ row }) => row));
        }
        return texts.join("\n");
      } finally {
        await client.end();
      }
    },
    async [Symbol.asyncDispose]() {
      await oci.close();
      await asked[Symbol.asyncDispose]();
      await registry.close();
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A scheduler's own way to run steps, which answers from a list and remembers what it was asked. */
export interface ScriptedStepRunner extends StepRunner {
  readonly checks: { readonly plan: CheckPlan; readonly context: StepContext }[];
  readonly gets: { readonly plan: GetPlan; readonly context: StepContext }[];
}

export function scriptedStepRunner(
  answers: { readonly versions?: readonly Version[]; readonly checkError?: Error; readonly getError?: Error } = {},
): ScriptedStepRunner {
  const checks: ScriptedStepRunner["checks"] = [];
  const gets: ScriptedStepRunner["gets"] = [];
  return {
    checks,
    gets,
    async check(plan, context) {
      checks.push({ plan, context });
      if (answers.checkError !== undefined) throw answers.checkError;
      return answers.versions ?? [];
    },
    async get(plan, context) {
      gets.push({ plan, context });
      if (answers.getError !== undefined) throw answers.getError;
      return { handle: `volume-of-${plan.id}` };
    },
  };
}
