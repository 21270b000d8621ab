import { buildStream, FetchImageError, type ImageSpec, isFinished } from "@fetch-image/core";
import type { Cluster, Member } from "./cluster.ts";
import type { Judge } from "./judge.ts";
import type { FetchOrder } from "./workload.ts";
import type { World } from "./world.ts";

/** The store's trouble or the process's, which the scheduler answers by asking again. */
const passing: ReadonlySet<string> = new Set([
  "FI_STORE_UNAVAILABLE",
  "FI_STORE_FULL",
  "FI_APPEND_OUTCOME_UNKNOWN",
  "FI_WRONG_EXPECTED_REVISION",
  "FI_BUILD_ADOPTED",
  "FI_ENGINE_CLOSED",
]);

type Result =
  | { readonly kind: "image"; readonly imageSpec: ImageSpec }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "lost" };

/** Asks for what its builds need until it has it, whichever process is there to be asked. */
export class Scheduler {
  readonly #world: World;
  readonly #cluster: Cluster;
  readonly #judge: Judge;
  readonly #places = new Map<string, Place>();
  readonly #underWay = new Map<FetchOrder, number>();
  readonly #neverBegun = new Set<string>();
  #waiting = 0;

  constructor(world: World, cluster: Cluster, judge: Judge) {
    this.#world = world;
    this.#cluster = cluster;
    this.#judge = judge;
  }

  get isDone(): boolean {
    return this.#waiting === 0;
  }

  /**
   * Fetches that were called off before their stream held them, as far as the process knew that was asked, `BUILD/FETCH`. What
   * a dead process had sent to the store may begin one all the same, or one that had the build after the one that was asked:
   * it waits for whoever opens the build next.
   */
  get neverBegun(): ReadonlySet<string> {
    return this.#neverBegun;
  }

  order(order: FetchOrder): void {
    for (let caller = 0; caller < (order.twice ? 2 : 1); caller++) {
      this.#waiting++;
      void this.#pursue(order).then(
        () => this.#waiting--,
        (error: unknown) => {
          this.#world.broken(`the simulation itself failed: ${error instanceof Error ? error.stack : String(error)}`);
        },
      );
    }
  }

  /** Opens a build elsewhere, whether or not the process that has it is dead. */
  moveABuild(): void {
    const places = [...this.#places.entries()];
    if (places.length === 0) return;
    const [buildId, place] = this.#world.random.pick(places);
    const { alive } = this.#cluster;
    if (alive.length === 0) return;
    place.moveTo(this.#world.random.pick(alive));
    this.#world.fault("scheduler", `moves build ${buildId} to ${place.member?.node.name}`);
  }

  async #pursue(order: FetchOrder): Promise<void> {
    const { buildId, fetchId, startMs, abortMs } = order;
    const world = this.#world;
    const begun = world.now();
    await world.delay(startMs);
    for (;;) {
      const place = this.#place(buildId);
      const member = place.member;
      if (member === undefined || !this.#cluster.isRunning(member)) {
        await world.delay(world.random.between(10, 2000));
        const { alive } = this.#cluster;
        const isElsewhere = place.member !== undefined && this.#cluster.isRunning(place.member);
        if (!isElsewhere && alive.length > 0) place.moveTo(world.random.pick(alive));
        continue;
      }
      const abortInMs = abortMs === undefined ? undefined : Math.max(0, begun + abortMs - world.now());
      const asked = this.#ask(member, order, abortInMs);
      const lost = Promise.race([member.node.death(), place.moved()]).then(() => ({ kind: "lost" }) as const);
      const result = await Promise.race([asked, lost]);
      if (this.#isEnd(order, result, member)) return;
      world.tell("scheduler", `asks again for ${buildId}/${fetchId}`);
      await world.delay(world.random.between(1, 1000));
    }
  }

  /** Counts it as under way until it is answered, though the scheduler may long have given it up for lost. */
  async #ask(member: Member, order: FetchOrder, abortInMs: number | undefined): Promise<Result> {
    const count = (by: number) => this.#underWay.set(order, (this.#underWay.get(order) ?? 0) + by);
    count(1);
    try {
      return await this.#askOnce(member, order, abortInMs);
    } finally {
      count(-1);
    }
  }

  async #askOnce({ node, engine }: Member, order: FetchOrder, abortInMs: number | undefined): Promise<Result> {
    const { random } = this.#world;
    const { buildId, request } = order;
    const controller = new AbortController();
    await node.arrival(random.between(0, 5));
    if (abortInMs === 0) controller.abort("the build was aborted");
    else if (abortInMs !== undefined) node.clock.after(abortInMs, () => controller.abort("the build was aborted"));
    const { signal } = controller;
    try {
      const build = await engine.openBuild({ id: buildId, team: "main", pipeline: "ci", job: "unit" });
      const fetching =
        request.kind === "task"
          ? build.fetchTaskImage({ ...request.request, signal })
          : build.fetchImage({ ...request.request, signal });
      const imageSpec = await fetching;
      this.#world.touch();
      this.#judgeImage(order, imageSpec);
      return { kind: "image", imageSpec };
    } catch (error) {
      this.#world.touch();
      return { kind: "failed", error };
    }
  }

  /** Whether the fetch has ended; what is told must be what is stored. */
  #isEnd(order: FetchOrder, result: Result, { node }: Member): boolean {
    const { buildId, fetchId, abortMs } = order;
    const which = `${buildId}/${fetchId}`;
    if (result.kind === "lost") return false;
    if (result.kind === "image") {
      this.#world.tell("scheduler", `has ${which}: ${JSON.stringify(result.imageSpec)}`);
      return true;
    }
    const { error } = result;
    if (!FetchImageError.is(error)) {
      this.#world.broken(`${which} was refused with what is not ours: ${String(error)}`);
      return true;
    }
    this.#world.tell("scheduler", `is refused ${which}: ${error.code} ${error.message}`);
    if (passing.has(error.code)) return false;
    // Which is the newer version's to go on with.
    if (error.code === "FI_STORE_TOO_NEW" && this.#judge.isNewer(buildStream(buildId))) return true;
    const { fetches, writer } = this.#judge.builds.state(buildId);
    const state = fetches.get(fetchId);
    // One of two callers leaves without ending the fetch for the other: one that was asked for before a move, say.
    const others = order.twice || (this.#underWay.get(order) ?? 0) > 0;
    const isUnknownThere = state === undefined || writer !== node.name;
    const mayBeUnsaid = error.code === "FI_ABORTED" && (isUnknownThere || others);
    if (mayBeUnsaid && isUnknownThere) this.#neverBegun.add(which);
    if (!mayBeUnsaid && (state === undefined || !isFinished(state))) {
      this.#world.broken(`${which} was refused with ${error.code}, and its stream does not say so`);
    }
    if (error.code === "FI_ABORTED" && abortMs === undefined) this.#world.broken(`${which} was aborted by nobody`);
    return true;
  }

  #judgeImage({ buildId, fetchId }: FetchOrder, { imageURL, imageArtifact }: ImageSpec): void {
    const state = this.#judge.builds.state(buildId).fetches.get(fetchId);
    const artifact = state?.snapshot.context.artifact ?? undefined;
    const isStored = state !== undefined && isFinished(state);
    if (!isStored || imageURL !== (state.imageURL ?? undefined) || imageArtifact?.handle !== artifact) {
      this.#world.broken(`${buildId}/${fetchId} was given ${JSON.stringify({ imageURL, imageArtifact })}, not stored`);
    }
  }

  #place(buildId: string): Place {
    const place = this.#places.get(buildId) ?? new Place();
    this.#places.set(buildId, place);
    return place;
  }
}

/** Where a build is. */
class Place {
  member: Member | undefined;
  #onMove: (() => void)[] = [];

  moveTo(member: Member): void {
    if (this.member === member) return;
    this.member = member;
    const onMove = this.#onMove;
    this.#onMove = [];
    for (const resolve of onMove) resolve();
  }

  moved(): Promise<void> {
    return new Promise((resolve) => this.#onMove.push(resolve));
  }
}
