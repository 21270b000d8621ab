// The restricted Pod Security Standard (kubernetes.io/docs/concepts/security/pod-security-standards), rule by rule.
import type { Pod } from "@fetch-image/kubernetes";

/** The names of the rules that a pod breaks. */
export function brokenRules({ spec }: Pod): readonly string[] {
  return Object.entries(restricted).flatMap(([rule, keeps]) => (keeps(asAnything(spec)) ? [] : [rule]));
}

/** A pod's spec with the fields that we never write, which the standard forbids. */
interface AnySpec {
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly securityContext?: AnyContext;
  readonly containers: readonly AnyContainer[];
  readonly initContainers?: readonly AnyContainer[];
  readonly volumes?: readonly { readonly [field: string]: unknown }[];
}

interface AnyContainer {
  readonly ports?: readonly { readonly hostPort?: number }[];
  readonly securityContext?: AnyContext;
}

interface AnyContext {
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly procMount?: string;
  readonly seccompProfile?: { readonly type: string };
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
  readonly sysctls?: readonly unknown[];
  readonly seLinuxOptions?: object;
  readonly appArmorProfile?: { readonly type: string };
  readonly windowsOptions?: { readonly hostProcess?: boolean };
}

const restricted: { readonly [rule: string]: (spec: AnySpec) => boolean } = {
  "host namespaces": ({ hostNetwork, hostPID, hostIPC }) => [hostNetwork, hostPID, hostIPC].every((is) => is !== true),
  "host ports": (spec) => containers(spec).every(({ ports = [] }) => ports.every(({ hostPort = 0 }) => hostPort === 0)),
  "privileged containers": (spec) => contexts(spec).every(({ privileged }) => privileged !== true),
  "privilege escalation": (spec) =>
    containers(spec).every(({ securityContext }) => securityContext?.allowPrivilegeEscalation === false),
  capabilities: (spec) =>
    containers(spec).every(({ securityContext }) => {
      const { add = [], drop = [] } = securityContext?.capabilities ?? {};
      return drop.includes("ALL") && add.every((capability) => capability === "NET_BIND_SERVICE");
    }),
  "running as non-root": (spec) =>
    containers(spec).every(
      ({ securityContext }) => (securityContext?.runAsNonRoot ?? spec.securityContext?.runAsNonRoot) === true,
    ),
  "running as non-root user": (spec) => contexts(spec).every(({ runAsUser }) => runAsUser !== 0),
  seccomp: (spec) =>
    containers(spec).every(({ securityContext }) => {
      const { type } = securityContext?.seccompProfile ?? spec.securityContext?.seccompProfile ?? { type: "" };
      return type === "RuntimeDefault" || type === "Localhost";
    }),
  "volume types": ({ volumes = [] }) =>
    volumes.every((volume) => {
      const [type, ...more] = Object.keys(volume).filter((field) => field !== "name");
      return more.length === 0 && volumeTypes.includes(type ?? "emptyDir");
    }),
  "proc mount": (spec) => contexts(spec).every(({ procMount = "Default" }) => procMount === "Default"),
  sysctls: (spec) => contexts(spec).every(({ sysctls = [] }) => sysctls.length === 0),
  SELinux: (spec) => contexts(spec).every(({ seLinuxOptions }) => seLinuxOptions === undefined),
  AppArmor: (spec) => contexts(spec).every(({ appArmorProfile }) => appArmorProfile?.type !== "Unconfined"),
  "host processes": (spec) => contexts(spec).every(({ windowsOptions }) => windowsOptions?.hostProcess !== true),
};

const volumeTypes = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
];

function containers({ containers: main, initContainers = [] }: AnySpec): readonly AnyContainer[] {
  return [...main, ...initContainers];
}

function contexts(spec: AnySpec): readonly AnyContext[] {
  return [spec, ...containers(spec)].flatMap(({ securityContext }) => securityContext ?? []);
}

function asAnything(spec: object): AnySpec {
  return JSON.parse(JSON.stringify(spec));
}
