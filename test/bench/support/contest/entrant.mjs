import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { cpuSecondsOf } from "./server-cpu.mjs";

/** @typedef {import("./arena.mjs").Arena} Arena */
/** @typedef {import("./arena.mjs").Contestant} Contestant */

/** What one contestant did in one round. @typedef {{perSecond: number, p50: number, p99: number, count: number,
 *   cpuSeconds: number, rss: number, gcShare: number, serverCpuSeconds: number | undefined}} Segment */

/** A contestant at its place, and its process. */
export class Entrant {
  #arena;
  #url;
  #module;
  #flags;
  #ground;
  #process;
  #workflows = 0;

  /**
   * @param {Arena} arena
   * @param {Contestant} contestant
   */
  constructor(arena, contestant) {
    this.name = contestant.name;
    this.#arena = arena;
    this.#flags = [...(contestant.flags ?? [])];
    this.#url = new URL(contestant.module, new URL("contestants/", import.meta.url)).href;
  }

  /**
   * Makes and prepares the contestant's place.
   * @param {Arena} arena
   * @param {Contestant} contestant
   */
  static async enter(arena, contestant) {
    const entrant = new Entrant(arena, contestant);
    entrant.#ground = await arena.place(contestant);
    try {
      entrant.#module = await import(entrant.#url);
      await entrant.#module.prepare(entrant.#ground.place);
      await entrant.#startHost();
    } catch (error) {
      await entrant.leave();
      throw error;
    }
    return entrant;
  }

  /** A server of the contestant's own is part of its ground. */
  async #startHost() {
    if (this.#module.host === undefined) return;
    const { place, serverPids, settle, close } = this.#ground;
    const hosted = await this.#module.host(place);
    this.#ground = {
      place: { ...place, ...hosted.place },
      serverPids: [...serverPids, ...hosted.pids],
      settle,
      close: async () => {
        await hosted.close();
        await close();
      },
    };
  }

  /** Starts the contestant's process; resolves when it is open. */
  async start() {
    const script = fileURLToPath(new URL("contestant.mjs", import.meta.url));
    const args = [this.#url, JSON.stringify(this.#ground.place)];
    // Without this process's flags: its hook for TypeScript is memory that no contestant needs.
    this.#process = fork(script, args, { execArgv: this.#flags, stdio: ["ignore", "inherit", "inherit", "ipc"] });
    await this.#answer();
  }

  async #answer() {
    const child = this.#process;
    const heard = new AbortController();
    const { signal } = heard;
    const ended = once(child, "exit", { signal }).then(([code, killedBy]) => ({
      failed: `it ended with ${killedBy ?? code}`,
    }));
    ended.catch(() => {});
    const [answer] = await Promise.race([once(child, "message", { signal }), ended.then((failure) => [failure])]);
    heard.abort();
    if ("failed" in answer) throw new Error(`${this.name}: ${answer.failed}`);
    return answer.done;
  }

  async tell(message) {
    this.#process.send(message);
    return await this.#answer();
  }

  async warm({ workflows, seconds }) {
    const { count } = await this.tell({ do: "warm", inFlight: 16, workflows, seconds });
    this.#workflows += count;
  }

  /** @returns {Promise<Segment>} */
  async load(inFlight, seconds) {
    const { serverPids, settle } = this.#ground;
    await settle();
    await this.#arena.registry.tell("count");
    const before = cpuSecondsOf(serverPids);
    const result = await this.tell({ do: "load", inFlight, seconds });
    const serverCpuSeconds = serverPids.length === 0 ? undefined : cpuSecondsOf(serverPids) - before;
    const asked = await this.#arena.registry.tell("count");
    if (asked < result.count) throw new Error(`${this.name} asked ${asked} times for ${result.count} workflows`);
    this.#workflows += result.count;
    return { ...result, serverCpuSeconds };
  }

  /** What the store holds; where workflows begin elsewhere than it counts them, how many have begun there. */
  async begun() {
    const { place } = this.#ground;
    const recorded = await this.#module.recorded(place);
    return { ...recorded, begun: (await this.#module.begun?.(place)) ?? recorded.begun };
  }

  /** Has the server write what it owes. */
  async settle() {
    await this.#ground.settle();
  }

  /** Counts what is stored: every workflow once, and whole. */
  async verify(workflows = this.#workflows) {
    const { begun, ended, scopes, facts, factsEach, all = {} } = await this.#module.recorded(this.#ground.place);
    const wanted = factsEach === undefined ? facts : factsEach * workflows;
    if ([begun, ended, scopes].some((count) => count !== workflows) || facts !== wanted) {
      const stored = `${begun} begun, ${ended} ended, ${scopes} scopes and ${facts} facts ${JSON.stringify(all)}`;
      throw new Error(`${this.name} did ${workflows} workflows, and its store has ${stored}`);
    }
    return facts;
  }

  /** Ends the process and leaves the store. */
  async stop() {
    if (this.#process === undefined) return;
    await this.tell({ do: "close" });
    const ended = once(this.#process, "exit");
    this.#process.disconnect();
    await ended;
    this.#process = undefined;
  }

  /** Ends the process as a crash would. */
  async kill() {
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
    this.#process = undefined;
  }

  async leave() {
    if (this.#process !== undefined) await this.kill();
    await this.#ground.close();
  }
}
