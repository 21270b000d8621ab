export { type Cluster, type ClusterOptions, openCluster } from "./cluster.ts";
export type { KubeRetry } from "./kube-api.ts";
export { createPodStepRunner, type PodStepRunner, type PodStepRunnerOptions } from "./pod-step-runner.ts";
export type { PutPlan, ResourceAnswer } from "./resource-protocol.ts";
