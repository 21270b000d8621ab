export {
  archiveBuilds,
  type ArchiveBuildsOptions,
  type ArchivedBuild,
  type ArchiveProgress,
  type ArchiveSummary,
} from "./archive-builds.ts";
export {
  restoreBuilds,
  type RestoreBuildsOptions,
  type RestoreProgress,
  type RestoreSummary,
} from "./restore-builds.ts";
