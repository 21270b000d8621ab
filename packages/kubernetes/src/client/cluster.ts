import { existsSync } from "node:fs";
import { FetchImageError } from "@fetch-image/core";
import { KubeConfig } from "@kubernetes/client-node";

export interface ClusterOptions {
  /** A kubeconfig file. Default: the pod's own service account, where this process runs in a pod, else `KUBECONFIG` and
   *  `~/.kube/config`. */
  readonly kubeconfig?: string;
  /** Default: the kubeconfig's current context. */
  readonly context?: string;
  /** Where the pods are made. Default: the context's namespace, else `default`. */
  readonly namespace?: string;
}

/** A cluster, and who asks it. Opened by {@link openCluster}. */
export interface Cluster {
  readonly kubeConfig: KubeConfig;
  readonly namespace: string;
}

/** Reads how the cluster is reached; asks nobody. Throws `FI_KUBERNETES_CONFIG_INVALID`. */
export function openCluster({ kubeconfig, context, namespace }: ClusterOptions = {}): Cluster {
  const kubeConfig = new KubeConfig();
  try {
    if (kubeconfig !== undefined) kubeConfig.loadFromFile(kubeconfig);
    else if (existsSync(`${serviceAccount}/token`)) kubeConfig.loadFromCluster();
    else kubeConfig.loadFromDefault();
  } catch (cause) {
    const where = kubeconfig ?? "the kubeconfig";
    throw invalid(`${where} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  if (context !== undefined) {
    if (kubeConfig.getContextObject(context) === null) throw invalid(`the kubeconfig has no context ${context}`);
    kubeConfig.setCurrentContext(context);
  }
  const cluster = kubeConfig.getCurrentCluster();
  if (cluster === null) throw invalid(`the kubeconfig's context ${kubeConfig.getCurrentContext()} names no cluster`);
  if (!/^https?:\/\//.test(cluster.server)) throw invalid("the cluster's server is no http or https address");
  const own = kubeConfig.getContextObject(kubeConfig.getCurrentContext())?.namespace;
  return { kubeConfig, namespace: namespace ?? own ?? "default" };
}

const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

function invalid(message: string): FetchImageError {
  return new FetchImageError("FI_KUBERNETES_CONFIG_INVALID", { message });
}
