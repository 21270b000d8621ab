// The embedded registry in a process of its own, with as many versions of one repository as its argument says, each
// with an image of its own, and `latest` on the newest. Prints its host; answers every message with the requests since.
import { startEmbeddedRegistry } from "@fetch-image/registry/embedded";

const count = Number(process.argv[2]);
const registry = await startEmbeddedRegistry({ tagsPerPage: 1000 });
for (let at = 0; at < count; at++) {
  const tag = `${Math.floor(at / 1000) + 1}.${Math.floor(at / 10) % 100}.${at % 10}`;
  const image = await registry.push(`acme/app:${tag}`, { layers: [tag] });
  if (at === count - 1) registry.moveTag("acme/app", "latest", image.digest);
}
process.on("message", () => {
  const { tags, manifestHead } = registry.counts;
  registry.clearRequests();
  process.send?.({ tags, manifestHead });
});
process.on("disconnect", () => process.exit());
process.stdout.write(`${registry.host}\n`);
