// The parts of Kubernetes' API objects that we write, as minimal types of our own. They are structurally assignable to the
// V1… classes of @kubernetes/client-node, whose lists are not readonly; nothing here loads that client.

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly labels?: { [key: string]: string };
  readonly annotations?: { [key: string]: string };
  readonly ownerReferences?: OwnerReference[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface Pod {
  readonly apiVersion: "v1";
  readonly kind: "Pod";
  readonly metadata: ObjectMeta;
  readonly spec: PodSpec;
}

export interface PodSpec {
  readonly restartPolicy: "Never";
  readonly automountServiceAccountToken: false;
  readonly enableServiceLinks: false;
  readonly serviceAccountName?: string;
  readonly activeDeadlineSeconds?: number;
  readonly imagePullSecrets?: { readonly name: string }[];
  readonly nodeSelector?: { [key: string]: string };
  readonly tolerations?: Toleration[];
  readonly securityContext?: PodSecurityContext;
  readonly containers: Container[];
  readonly volumes?: Volume[];
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy: "IfNotPresent" | "Always";
  readonly command?: string[];
  readonly args?: string[];
  readonly workingDir?: string;
  readonly env?: EnvVar[];
  readonly resources?: Resources;
  readonly volumeMounts?: VolumeMount[];
  readonly securityContext?: SecurityContext;
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
}

export interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef: { readonly name: string; readonly key: string } };
}

/** Quantities: `250m` of CPU, bytes of memory. */
export interface Resources {
  readonly requests?: { [resource: string]: string };
  readonly limits?: { [resource: string]: string };
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

/** Where a volume's files are: one of these. */
export interface VolumeSource {
  readonly emptyDir?: { readonly medium?: string; readonly sizeLimit?: string };
  readonly persistentVolumeClaim?: { readonly claimName: string; readonly readOnly?: boolean };
  readonly csi?: {
    readonly driver: string;
    readonly readOnly?: boolean;
    readonly volumeAttributes?: { [key: string]: string };
  };
}

export interface Volume extends VolumeSource {
  readonly name: string;
}

export interface Toleration {
  readonly key?: string;
  readonly operator?: "Exists" | "Equal";
  readonly value?: string;
  readonly effect?: "NoExecute" | "NoSchedule" | "PreferNoSchedule";
  readonly tolerationSeconds?: number;
}

export interface PodSecurityContext {
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly fsGroup?: number;
  readonly fsGroupChangePolicy?: "Always" | "OnRootMismatch";
  readonly seccompProfile?: { readonly type: "RuntimeDefault" };
}

export interface SecurityContext {
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly runAsUser?: number;
  readonly capabilities?: { readonly add?: string[]; readonly drop?: string[] };
}

export interface Secret {
  readonly apiVersion: "v1";
  readonly kind: "Secret";
  readonly metadata: ObjectMeta;
  readonly type: string;
  /** In base64. */
  readonly data?: { [key: string]: string };
}

/** The reference that makes an object go when the pod goes. The pod must be one that the API server made: with a uid. */
export function ownedBy(pod: {
  readonly metadata?: { readonly name?: string; readonly uid?: string };
}): OwnerReference {
  const { name, uid } = pod.metadata ?? {};
  if (name === undefined || uid === undefined) throw new TypeError("a pod without a uid owns nothing yet");
  return { apiVersion: "v1", kind: "Pod", name, uid };
}
