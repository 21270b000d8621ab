import type { Json, JsonObject } from "../json.ts";
import type { ContainerLimits, ResourceType, TaskConfig, Version } from "../plan/plan.ts";
import type { Deferred } from "./decoder.ts";
import type { YamlNode } from "./yaml-tree.ts";

/**
 * A pipeline as its file declares it, checked. Vars that have no value yet stand as `((var))` wherever text can stand;
 * `resolveVars` gives one without them.
 */
export interface Pipeline {
  /** What messages call it. */
  readonly file: string;
  /** Sources as declared: types' `defaults` are merged in when a plan is made. */
  readonly resourceTypes: readonly ResourceType[];
  readonly resources: readonly PipelineResource[];
  readonly jobs: readonly PipelineJob[];
  readonly varSources: readonly PipelineVarSource[];
  /** The vars that still have no value, sorted; those of run time (`.:`) aside. */
  readonly unresolved: readonly string[];
  readonly [declaration]: Declaration;
}

export const declaration: unique symbol = Symbol("the declaration of a pipeline");

/** What the file said, for when its vars get values. Keyed by a symbol, so that no one prints or stores it by chance. */
interface Declaration {
  readonly root: YamlNode;
  readonly lineStarts: readonly number[];
  readonly baseTypes: readonly string[];
  readonly deferred: readonly Deferred[];
}

export interface PipelineResource {
  readonly name: string;
  readonly type: string;
  readonly source?: JsonObject;
  readonly check_every?: string;
  readonly check_timeout?: string;
  readonly tags?: readonly string[];
  /** Pins the resource. */
  readonly version?: Version;
  readonly expose_build_created_by?: boolean;
  readonly public?: boolean;
}

export interface PipelineJob {
  readonly name: string;
  /** The job's steps in a `do`, inside of the job's hooks. */
  readonly step: PipelineStep;
}

export interface PipelineVarSource {
  readonly name: string;
  readonly type: string;
  readonly config?: Json;
}

/** A step, its modifiers unfolded in Concourse's order (upstream atc/steps.go, StepPrecedence). */
export type PipelineStep =
  | GetStep
  | PutStep
  | TaskStep
  | { readonly kind: "set_pipeline" | "load_var"; readonly body: JsonObject }
  | { readonly kind: "do"; readonly steps: readonly PipelineStep[] }
  | {
      readonly kind: "in_parallel";
      readonly steps: readonly PipelineStep[];
      readonly limit?: number;
      readonly fail_fast?: boolean;
    }
  | {
      readonly kind: "across";
      readonly step: PipelineStep;
      readonly vars: readonly AcrossVar[];
      readonly fail_fast?: boolean;
    }
  | { readonly kind: "try"; readonly step: PipelineStep }
  | { readonly kind: "timeout"; readonly step: PipelineStep; readonly duration: string }
  | { readonly kind: "retry"; readonly step: PipelineStep; readonly attempts: number }
  | {
      readonly kind: "on_success" | "on_failure" | "on_abort" | "on_error" | "ensure";
      readonly step: PipelineStep;
      readonly hook: PipelineStep;
    };

interface AcrossVar {
  readonly var: string;
  /** A list, or a var that will be one. */
  readonly values: Json;
  readonly max_in_flight?: number | "all";
}

interface GetStep {
  readonly kind: "get";
  readonly name: string;
  readonly resource: string;
  readonly version?: Version | "latest" | "every";
  readonly params?: JsonObject;
  readonly tags?: readonly string[];
  readonly timeout?: string;
}

interface PutStep {
  readonly kind: "put";
  readonly name: string;
  readonly resource: string;
  readonly params?: JsonObject;
  readonly inputs?: "all" | "detect" | readonly string[];
  readonly tags?: readonly string[];
  readonly timeout?: string;
  readonly get_params?: JsonObject;
  readonly no_get?: boolean;
}

interface TaskStep {
  readonly kind: "task";
  readonly name: string;
  readonly privileged?: boolean;
  readonly hermetic?: boolean;
  readonly file?: string;
  readonly config?: TaskConfig;
  readonly container_limits?: ContainerLimits;
  readonly params?: { readonly [name: string]: string };
  readonly vars?: JsonObject;
  readonly tags?: readonly string[];
  readonly input_mapping?: { readonly [name: string]: string };
  readonly output_mapping?: { readonly [name: string]: string };
  readonly image?: string;
  readonly timeout?: string;
}
