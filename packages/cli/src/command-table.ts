import type { Command } from "./command.ts";

export interface CommandEntry {
  readonly name: string;
  readonly arguments: string;
  /** No full stop. */
  readonly summary: string;
  readonly group: "Images" | "What happened" | "Upkeep";
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** Every command; its file is loaded only when it runs. */
export const commandTable: readonly CommandEntry[] = [
  {
    name: "run",
    arguments: "PIPELINE.yml",
    summary: "fetch every image that a job's steps need",
    group: "Images",
    load: () => import("./commands/run.ts"),
  },
  {
    name: "plan",
    arguments: "PIPELINE.yml",
    summary: "print the build plans of a pipeline, as Concourse makes them",
    group: "Images",
    load: () => import("./commands/plan.ts"),
  },
  {
    name: "ref",
    arguments: "REFERENCE",
    summary: "take an image reference apart",
    group: "Images",
    load: () => import("./commands/ref.ts"),
  },
  {
    name: "check",
    arguments: "< PAYLOAD",
    summary: "find an image's versions, in place of Concourse's /opt/resource/check",
    group: "Images",
    load: () => import("./commands/check.ts"),
  },
  {
    name: "in",
    arguments: "DEST < PAYLOAD",
    summary: "fetch an image into a directory, in place of Concourse's /opt/resource/in",
    group: "Images",
    load: () => import("./commands/in.ts"),
  },
  {
    name: "log",
    arguments: "BUILD",
    summary: "print a build's log, rebuilt from the event store",
    group: "What happened",
    load: () => import("./commands/log.ts"),
  },
  {
    name: "why",
    arguments: "BUILD [PLAN]",
    summary: "tell how a digest was chosen: candidates in order, each with its reason",
    group: "What happened",
    load: () => import("./commands/why.ts"),
  },
  {
    name: "replay",
    arguments: "BUILD",
    summary: "print every fact, the state after it, and what it caused",
    group: "What happened",
    load: () => import("./commands/replay.ts"),
  },
  {
    name: "versions",
    arguments: "REFERENCE",
    summary: "list the versions that were observed of an image",
    group: "What happened",
    load: () => import("./commands/versions.ts"),
  },
  {
    name: "as-of",
    arguments: "REFERENCE TIME",
    summary: "tell what a reference was at a time, and between which observations",
    group: "What happened",
    load: () => import("./commands/as-of.ts"),
  },
  {
    name: "builds",
    arguments: "--digest DIGEST | --ref REFERENCE",
    summary: "list every build that ran a digest, or any digest of a reference",
    group: "What happened",
    load: () => import("./commands/builds.ts"),
  },
  {
    name: "drift",
    arguments: "",
    summary: "list the tags that moved, and the first build that each move reached",
    group: "What happened",
    load: () => import("./commands/drift.ts"),
  },
  {
    name: "shadow",
    arguments: "report|compare",
    summary: "compare with a scheduler that fetches another way, and tell whether it may be switched",
    group: "What happened",
    load: () => import("./commands/shadow.ts"),
  },
  {
    name: "rerun",
    arguments: "BUILD",
    summary: "print a build's images, digest for digest, to run it again with the same",
    group: "What happened",
    load: () => import("./commands/rerun.ts"),
  },
  {
    name: "pods",
    arguments: "BUILD",
    summary: "print the Pods and Secrets of a build's steps, as YAML for kubectl",
    group: "What happened",
    load: () => import("./commands/pods.ts"),
  },
  {
    name: "export",
    arguments: "BUILD | --table TABLE",
    summary: "print an in-toto statement of a build, or rows as CSV or NDJSON",
    group: "What happened",
    load: () => import("./commands/export.ts"),
  },
  {
    name: "serve",
    arguments: "",
    summary: "serve builds' logs to Concourse's own clients, over HTTP",
    group: "What happened",
    load: () => import("./commands/serve.ts"),
  },
  {
    name: "doctor",
    arguments: "[REFERENCE|PIPELINE.yml]…",
    summary: "check the store, registries and credentials, and say what to do",
    group: "Upkeep",
    load: () => import("./commands/doctor.ts"),
  },
  {
    name: "config",
    arguments: "",
    summary: "list the effective settings, and where each came from",
    group: "Upkeep",
    load: () => import("./commands/config.ts"),
  },
  {
    name: "rebuild",
    arguments: "",
    summary: "make the read model anew from the facts",
    group: "Upkeep",
    load: () => import("./commands/rebuild.ts"),
  },
  {
    name: "copy-events",
    arguments: "--from URL --to URL",
    summary: "copy every fact of one event store into another; goes on where it was interrupted",
    group: "Upkeep",
    load: () => import("./commands/copy-events.ts"),
  },
  {
    name: "archive",
    arguments: "--before TIME --to DIR",
    summary: "write the facts of builds that are long over into files, and remove them where told to",
    group: "Upkeep",
    load: () => import("./commands/archive.ts"),
  },
  {
    name: "restore",
    arguments: "--from DIR",
    summary: "put archived builds back into the event store",
    group: "Upkeep",
    load: () => import("./commands/restore.ts"),
  },
  {
    name: "artifacts",
    arguments: "[prune]",
    summary: "tell how much of images' bytes is kept, or remove what is not needed",
    group: "Upkeep",
    load: () => import("./commands/artifacts.ts"),
  },
];
