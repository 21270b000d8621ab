import { resolve } from "node:path";
import type { Command, CommandContext } from "../command.ts";
import { openRegistry, unpackLimits } from "../open-engine.ts";
import { exitStatus } from "../exit-status.ts";
import { createDownloadBars } from "../progress/download-bars.ts";
import { size } from "../progress/size-text.ts";
import { openLayerStore } from "../resource/layer-store.ts";
import { nativeOnly, sourceOf } from "../resource/registry-image.ts";
import { type ResourceCall, runResource } from "../resource/resource-command.ts";
import { logSettings, registrySettings, unpackSettings } from "../setting-groups.ts";

export const command: Command = {
  usage: "DEST < PAYLOAD",
  about: `Fetches an image by its digest into DEST, in place of /opt/resource/in of Concourse's registry-image resource:
reads {"source":{…},"version":{"tag","digest"},"params":{…}} from standard input, fills DEST and prints
{"version","metadata"}. params.format is rootfs (default), oci or oci-layout; params.skip_download and params.platform are
as there. DEST gets its files when they are complete, or none. Layers are kept in the data directory and used again
where --data or FETCH_IMAGE_DATA names one, or there is one already; else nothing stays.`,
  positionals: { min: 1, max: 100 },
  options: [],
  settings: ["data", ...registrySettings, ...unpackSettings, ...logSettings],
  examples: [
    "fetch-image in ./image < payload.json",
    "fetch-image in /tmp/build/get --data /var/cache/fetch-image < payload.json",
  ],
  run: (context) =>
    runResource(context, ["source", "version", "params"], (call) =>
      fetchInto(context.positionals[0] ?? "", call, context),
    ),
};

async function fetchInto(
  directory: string,
  { payload, logger, say }: ResourceCall,
  { settings, terminal, signal, cwd }: CommandContext,
): Promise<number> {
  const { getImage, imageGet, openDestination } = await import("@fetch-image/registry");
  const source = await sourceOf(payload.source);
  const get = imageGet(source, payload.version ?? {}, payload.params);
  say(`fetching ${source.repository}@${get.digest}`);
  await using destination = await openDestination(resolve(cwd, directory));
  await using registry = await openRegistry(settings, logger);
  const store = await openLayerStore(settings, { scratch: destination.scratch, say });
  const bars = createDownloadBars(terminal);
  const { version, metadata, image, unpacked } = await nativeOnly(
    getImage(get, destination.files, {
      registry,
      store,
      signal,
      limits: unpackLimits(settings),
      onProgress: bars.download,
      onUnpack: bars.unpack,
    }).finally(bars.end),
  );
  await destination.publish();
  if (image) say(`${size(image.bytes)}, ${size(image.downloadedBytes)} downloaded`);
  if (unpacked && unpacked.skipped.length > 0) say(`${unpacked.skipped.length} entries were left out, devices mostly`);
  for (const { path, why } of unpacked?.skipped ?? []) logger.debug("left out", { path, why });
  terminal.out(`${JSON.stringify({ version, metadata })}\n`);
  return exitStatus.done;
}
