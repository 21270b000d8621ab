/**
 * Hand-written SQL, to which everybody is compared, and our engine on each of its stores.
 * @type {import("./arena.mjs").Contestant[]}
 */
export const ours = [
  { name: "sql-steps", module: "sql-steps.mjs", store: "postgres" },
  { name: "sql-group-commit", module: "sql-group-commit.mjs", store: "postgres" },
  // Several nodes share a server: the claim is acknowledged before the HEAD.
  { name: "fetch-image", module: "fetch-image.mjs", store: "postgres" },
  // A lone node has the HEAD in flight beside the claim.
  { name: "fetch-image-sole", module: "fetch-image.mjs", store: "postgres", options: { soleNode: true } },
  { name: "fetch-image-pglite", module: "fetch-image.mjs", store: "pglite", options: { soleNode: true } },
  { name: "fetch-image-eventstoredb", module: "fetch-image.mjs", store: "eventstoredb" },
];
