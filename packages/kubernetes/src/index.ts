export {
  baseResourceTypeImages,
  type BaseTypeOverrides,
  parseBaseTypeOverrides,
  type ParsedBaseTypeOverrides,
  resolveBaseResourceType,
} from "./base-resource-types.ts";
export { buildPod, type BuildPodOptions, type BuiltPod, type PodBuild, type PodSettings } from "./build-pod.ts";
export {
  type Container,
  type EnvVar,
  type ObjectMeta,
  ownedBy,
  type OwnerReference,
  type Pod,
  type PodSecurityContext,
  type PodSpec,
  type Resources,
  type Secret,
  type SecurityContext,
  type Toleration,
  type Volume,
  type VolumeMount,
  type VolumeSource,
} from "./manifests.ts";
export {
  imageForNodes,
  type NodeImageOptions,
  type NodeRegistry,
  type ParsedNodeRegistries,
  parseNodeRegistries,
  podImage,
  pullPolicy,
} from "./node-image.ts";
export { matchingCredentials, type MatchingCredential, pullSecretWarning } from "./keyring.ts";
export type { PullSecret } from "./pull-secret-invalid.ts";
export {
  credentialForImage,
  pullSecret,
  pullSecretName,
  pullSecretNames,
  type PullSecretOptions,
  type PullSecretPurpose,
  unusedLoginWarning,
} from "./pull-secrets.ts";
export { podHandle, type PodIdentity, podName, type StepType } from "./pod-identity.ts";
export { buildSelector, labelValue, type PodLabels, podLabels, podSelector } from "./pod-labels.ts";
export type { PodSecurity } from "./pod-security.ts";
export type { StepArtifact } from "./step-files.ts";
