// A cold fetch by our engine on PostgreSQL, as `fetch-image.mjs` does it, with one thing else about it: what that thing
// costs. Some of it is nothing that anybody should do.
import { Client } from "pg";
import * as plain from "./fetch-image.mjs";

/**
 * @typedef {{
 *   databaseUrl: string,
 *   registry: string,
 *   soleNode: boolean,
 *   isUnsynced?: boolean,
 *   dropsIdIndex?: boolean,
 *   atMost?: number,
 *   fetchesOfBuild?: number,
 * }} Place `isUnsynced`: commits do not wait for the disk; `dropsIdIndex`: ids of facts are not kept unique; `atMost`: the host
 *   has so many fetches under way at once, and the others wait; `fetchesOfBuild`: so many are steps of one build
 */

/** @param {Place} place */
export async function prepare(place) {
  await plain.prepare(place);
  if (place.dropsIdIndex !== true) return;
  const client = new Client({ connectionString: place.databaseUrl });
  await client.connect();
  await client.query("alter table fetch_image.events drop constraint events_event_id");
  await client.end();
}

/** @param {Place} place */
export async function open(place) {
  const { databaseUrl, fetchesOfBuild, atMost } = place;
  const unsynced = `${databaseUrl}?options=${encodeURIComponent("-c synchronous_commit=off")}`;
  const its = { ...place, databaseUrl: place.isUnsynced === true ? unsynced : databaseUrl };
  const opened = fetchesOfBuild === undefined ? await plain.open(its) : await openTogether(its, fetchesOfBuild);
  return atMost === undefined ? opened : { ...opened, run: fewAtOnce(opened.run, atMost) };
}

/** What is stored of each fetch; a build has its own facts once for all of its. */
export async function recorded(place) {
  const all = await plain.recorded(place);
  if (place.fetchesOfBuild === undefined) return all;
  return { ...all, facts: all.facts - all.all.BuildOpened, factsEach: all.factsEach - 1 };
}

/** Each build has the next so many fetches, which begin as they come. */
async function openTogether(place, fetchesOfBuild) {
  const { engine, close } = await plain.openEngine(place);
  const begin = (id) => ({ opening: engine.openBuild({ id, isNew: true }), begun: 0, left: fetchesOfBuild });
  let current;
  const run = async (workflow) => {
    if (current === undefined || current.begun === fetchesOfBuild) current = begin(workflow);
    const mine = current;
    const step = String(++mine.begun);
    const build = await mine.opening;
    const { imageURL } = await build.fetchImage(plain.requestOf(place, workflow, step));
    if (--mine.left === 0) await build.close();
    return imageURL;
  };
  return { run, close };
}

function fewAtOnce(run, atMost) {
  const waiting = [];
  let free = atMost;
  return async (workflow) => {
    if (free > 0) free--;
    else await new Promise((resolve) => waiting.push(resolve));
    try {
      return await run(workflow);
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
