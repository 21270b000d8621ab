import type { PodSecurityContext, SecurityContext } from "./manifests.ts";
import { podInvalid } from "./pod-invalid.ts";

/**
 * Which Pod Security Standard pods keep that are not privileged. `restricted`: no root, no capabilities. `baseline`: the
 * image's own user, which may be root, as Concourse's workers run it.
 */
export type PodSecurity = "restricted" | "baseline";

export interface SecurityContexts {
  readonly pod?: PodSecurityContext;
  readonly container?: SecurityContext;
}

export interface SecurityOptions {
  readonly step: string;
  readonly privileged: boolean;
  readonly security: PodSecurity;
  /** A task's `run.user`. */
  readonly user?: string | undefined;
  /** Who runs a `restricted` pod, where the step does not say. */
  readonly runAsUser: number;
}

/** Throws `FI_POD_INVALID` for a user that the kubelet cannot be given, or that the standard forbids. */
export function securityContexts(options: SecurityOptions): SecurityContexts {
  const { step, privileged, security, runAsUser } = options;
  const user = options.user === undefined ? undefined : userId(step, options.user);
  const asUser = user === undefined ? {} : { runAsUser: user };
  if (privileged) return { container: { privileged: true, ...asUser } };
  if (security === "baseline") return { pod: { seccompProfile, ...asUser } };
  if (user === 0) {
    throw podInvalid(
      step,
      "it runs as root, which the restricted Pod Security Standard forbids",
      "Run it as another user, or set pod-security to baseline.",
    );
  }
  const someone = user ?? runAsUser;
  return {
    pod: {
      runAsNonRoot: true,
      runAsUser: someone,
      runAsGroup: someone,
      // Volumes are theirs to write; a large one is not gone through again for every pod.
      fsGroup: someone,
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile,
    },
    container: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
  };
}

function userId(step: string, user: string): number {
  if (user === "root") return 0;
  if (/^\d{1,10}$/.test(user) && Number(user) < 2 ** 31) return Number(user);
  throw podInvalid(
    step,
    "its user is a name, and a kubelet takes numbers alone: only the image knows which number the name has",
    "Write the user's number in run.user, as `id -u` prints it in the image.",
  );
}

const seccompProfile = { type: "RuntimeDefault" } as const;
