import type { Json, JsonObject } from "../json.ts";

/** What a check returns and a get takes: all strings, `{tag, digest}` for a registry-image. */
export type Version = { readonly [key: string]: string };

/** The image resource of a task: what `image_resource:` holds. */
export interface ImageResource {
  readonly name?: string;
  readonly type: string;
  readonly source: JsonObject;
  readonly params?: JsonObject;
  readonly version?: Version;
  readonly tags?: readonly string[];
}

/**
 * A build plan, in Concourse's own JSON (upstream atc/plan.go): an id, and one key that says what it is.
 * Sub-plans of a step's own type image stand in `image_check_plan` and `image_get_plan`.
 */
export interface Plan {
  readonly id: string;
  /** Below retries: which attempt this is of each, outermost first, counted from 1. */
  readonly attempts?: readonly number[];
  readonly get?: GetPlanBody;
  readonly put?: PutPlanBody;
  readonly check?: CheckPlanBody;
  readonly task?: TaskPlanBody;
  readonly set_pipeline?: JsonObject;
  readonly load_var?: JsonObject;
  readonly do?: readonly Plan[];
  readonly in_parallel?: { readonly steps: readonly Plan[]; readonly limit?: number; readonly fail_fast?: boolean };
  readonly across?: AcrossPlanBody;
  readonly on_success?: { readonly step: Plan; readonly on_success: Plan };
  readonly on_failure?: { readonly step: Plan; readonly on_failure: Plan };
  readonly on_abort?: { readonly step: Plan; readonly on_abort: Plan };
  readonly on_error?: { readonly step: Plan; readonly on_error: Plan };
  readonly ensure?: { readonly step: Plan; readonly ensure: Plan };
  readonly try?: { readonly step: Plan };
  readonly timeout?: { readonly step: Plan; readonly duration: string };
  readonly retry?: readonly Plan[];
}

export interface AcrossPlanBody {
  readonly vars: readonly {
    readonly name: string;
    /** A list, or a run-time `((.:var))` that will be one. */
    readonly values: Json;
    readonly max_in_flight?: number | "all";
  }[];
  /** The JSON of the plan that is run for each combination of values, its `((.:var))`s not evaluated. */
  readonly substep_template: string;
  /** The template with each combination put in, the last var varying fastest; empty while a var's values are unknown. */
  readonly steps: readonly { readonly step: Plan; readonly values: readonly Json[] }[];
  readonly fail_fast?: boolean;
}

/** The image of a step's own resource type: nothing but `base_type` for a base resource type. */
export interface TypeImage {
  readonly image_check_plan?: CheckPlan;
  readonly image_get_plan?: GetPlan;
  /** The bottom-most type that the step's type relies on, `registry-image` say. */
  readonly base_type?: string;
  /** Whether the parent resource type is privileged. */
  readonly privileged?: boolean;
}

export interface GetPlanBody extends TypeImage {
  readonly name: string;
  readonly type: string;
  readonly resource?: string;
  readonly source: JsonObject;
  readonly params?: JsonObject;
  readonly version?: Version;
  /** The plan (a put, a check) that produces the version. */
  readonly version_from?: string;
  readonly tags?: readonly string[];
  readonly timeout?: string;
}

export interface PutPlanBody extends TypeImage {
  readonly name: string;
  readonly type: string;
  readonly resource?: string;
  readonly source: JsonObject;
  readonly params?: JsonObject;
  readonly inputs?: Json;
  readonly tags?: readonly string[];
  readonly timeout?: string;
  readonly expose_build_created_by?: boolean;
}

export interface CheckPlanBody extends TypeImage {
  readonly name: string;
  readonly type: string;
  readonly resource?: string;
  readonly resource_type?: string;
  readonly source: JsonObject;
  readonly from_version?: Version;
  /** A Go duration (`1m0s`, `24h0m0s`), or `never`: a newer observation than this is used without asking. */
  readonly interval?: string;
  /** Ask whatever the interval says: somebody asked for this build by hand. */
  readonly skip_interval?: boolean;
  readonly tags?: readonly string[];
  readonly timeout?: string;
}

export interface TaskPlanBody {
  readonly name: string;
  readonly privileged: boolean;
  /** Whether the network is cut off. */
  readonly hermetic: boolean;
  readonly tags?: readonly string[];
  /** Where the task's config stands, when only its artifact has it. */
  readonly config_path?: string;
  readonly config?: TaskConfig;
  /** The artifact to use as the task's image: overrides `image_resource`. */
  readonly image?: string;
  readonly vars?: JsonObject;
  readonly params?: JsonObject;
  readonly container_limits?: ContainerLimits;
  readonly input_mapping?: { readonly [name: string]: string };
  readonly output_mapping?: { readonly [name: string]: string };
  readonly timeout?: string;
  /** Types that the task's image may need, known only once its config is. */
  readonly resource_types?: readonly ResourceType[];
  /** The check of the task's image asks whatever its interval says. */
  readonly check_skip_interval?: boolean;
}

/** What a task runs and in what image (upstream atc/task.go). */
export interface TaskConfig {
  readonly platform: string;
  /** An image by its address, used as it is. */
  readonly rootfs_uri?: string;
  readonly image_resource?: ImageResource;
  readonly container_limits?: ContainerLimits;
  readonly params?: { readonly [name: string]: string };
  readonly run?: {
    readonly path: string;
    readonly args?: readonly string[];
    readonly dir?: string;
    readonly user?: string;
  };
  readonly inputs?: readonly { readonly name: string; readonly path?: string; readonly optional?: boolean }[];
  readonly outputs?: readonly { readonly name: string; readonly path?: string }[];
  readonly caches?: readonly { readonly path?: string }[];
}

/** Kubernetes would say limits: shares of CPU, and bytes (or `1gb`) of memory. */
export interface ContainerLimits {
  readonly cpu?: Json;
  readonly memory?: Json;
}

/** A custom resource type, as a pipeline declares it, its vars and the defaults of its own type evaluated. */
export interface ResourceType {
  readonly name: string;
  readonly type: string;
  readonly source: JsonObject;
  readonly params?: JsonObject;
  /** Pins the type's image. Not in Concourse, whose types are always checked. */
  readonly version?: Version;
  readonly privileged?: boolean;
  readonly check_every?: string;
  readonly tags?: readonly string[];
  /** Merged under the source of whatever is of this type. */
  readonly defaults?: JsonObject;
}

export interface GetPlan extends Plan {
  readonly get: GetPlanBody;
}

export interface CheckPlan extends Plan {
  readonly check: CheckPlanBody;
}
