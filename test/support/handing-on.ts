import type { ReadModel } from "@fetch-image/core";

/** A read model that hands every call on, each a property of its own: spread it, and put another in a call's place. */
export function handingOn(readModel: ReadModel): ReadModel {
  return {
    checkpoint: () => readModel.checkpoint(),
    apply: (changes, move) => readModel.apply(changes, move),
    reset: () => readModel.reset(),
    build: (buildId) => readModel.build(buildId),
    builds: (options) => readModel.builds(options),
    imagesOfBuild: (buildId) => readModel.imagesOfBuild(buildId),
    images: (filter, page) => readModel.images(filter, page),
    scope: (scope) => readModel.scope(scope),
    everyScope: (page) => readModel.everyScope(page),
    observations: (filter, page) => readModel.observations(filter, page),
    stays: (scope, page) => readModel.stays(scope, page),
    scopes: (filter) => readModel.scopes(filter),
    versions: (scope) => readModel.versions(scope),
    droppedBefore: () => readModel.droppedBefore(),
    close: () => readModel.close(),
  };
}
