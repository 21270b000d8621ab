import { FetchImageError, type Plan, showText } from "@fetch-image/core";
import {
  parseBaseTypeOverrides,
  parseNodeRegistries,
  type Pod,
  type PodSettings,
  type Secret,
} from "@fetch-image/kubernetes";
import { Document } from "yaml";
import { buildFacts } from "../build-history.ts";
import type { Command, CommandContext } from "../command.ts";
import type { EffectiveSettings } from "../effective-settings.ts";
import { exitStatus } from "../exit-status.ts";
import { openRegistry } from "../open-engine.ts";
import { openStores } from "../open-stores.ts";
import { varOptions } from "../pipeline-file.ts";
import { givenPipeline } from "../pods/given-pipeline.ts";
import { stepManifests } from "../pods/pod-manifests.ts";
import { recordedBuild } from "../pods/recorded-build.ts";
import { podSettings, registrySettings, storeSettings } from "../setting-groups.ts";
import { showError } from "../show-error.ts";

export const command: Command = {
  usage: "BUILD [--sources PIPELINE.yml]",
  about: `Prints the Pod of each step of a build, and the Secrets that it needs, as YAML for \`kubectl apply\`: the digests that
the build resolved, from where the nodes pull. What a task runs, its params and the logins of sources are in no fact. With
--sources they come from the pipeline that the build ran, and the Secrets printed hold them; without, a comment says how to
make a Secret that a Pod names. The exit status is 1 where a step's image was not fetched, or its Pod could not be made.`,
  positionals: { min: 1, max: 1 },
  options: [
    { name: "sources", value: "PIPELINE.yml", does: "the pipeline that the build ran, with its vars" },
    ...varOptions,
  ],
  settings: [...storeSettings, ...podSettings, ...registrySettings],
  examples: [
    "fetch-image pods 123 | kubectl apply --dry-run=server -f -",
    "fetch-image pods 123 --sources ci.yml --load-vars-from credentials.yml --pod-namespace ci",
  ],
  async run(context) {
    const { positionals, options, settings, terminal, logger, secrets, signal } = context;
    const [build = ""] = positionals;
    const podsOf = podSettingsOf(settings);
    await using stores = await openStores(settings, { access: "read", logger });
    const recorded = recordedBuild(build, await buildFacts(stores, build));
    const file = options.text("sources");
    const given = file === undefined ? undefined : await givenPipeline(file, recorded, context);
    let registry: ReturnType<typeof openRegistry> | undefined;
    const printed = new Set<string>();
    let failures = 0;
    try {
      for (const step of given?.steps ?? recorded.steps) {
        try {
          const made = await stepManifests(step, recorded, {
            given,
            settings: podsOf,
            pullSecrets: settings.values.pullSecrets,
            registrySecret: settings.values.registrySecret,
            credentials: () => (registry ??= openRegistry(settings, logger)),
            signal,
          });
          if ("because" in made) {
            if (made.isFailure) failures++;
            terminal.err(secrets.redact(`${titleOf(step)}: no pod: ${made.because}\n`));
            continue;
          }
          // Steps of one type share its Secret.
          const manifests = made.manifests.filter(({ metadata: { name } }) => !printed.has(name));
          for (const { metadata } of manifests) printed.add(metadata.name);
          print(manifests, [titleOf(step), ...made.notes.map((note) => secrets.redact(note))], context);
        } catch (error) {
          if (!FetchImageError.is(error)) throw error;
          failures++;
          terminal.err(secrets.redact(showError(error, { color: terminal.errColor, what: `${titleOf(step)}: ` })));
        }
      }
    } finally {
      await (await registry)?.close();
    }
    return failures > 0 ? exitStatus.failed : exitStatus.done;
  },
};

/** A document each; what is to be known of a step stands before its first, or on standard error beside JSON. */
function print(
  manifests: readonly (Secret | Pod)[],
  [title = "", ...notes]: readonly string[],
  { json, terminal }: Pick<CommandContext, "json" | "terminal">,
): void {
  if (json) for (const note of notes) terminal.err(`${title}: ${note}\n`);
  let comment = [title, ...(json ? [] : notes)].map((line) => `# ${line}\n`).join("");
  for (const manifest of manifests) {
    terminal.out(json ? `${JSON.stringify(manifest)}\n` : `---\n${comment}${yamlOf(manifest)}`);
    comment = "";
  }
}

/** For readers of YAML 1.1, as kubectl's is, and of 1.2: what either would take for something else is quoted. */
function yamlOf(manifest: Secret | Pod): string {
  const document = new Document(manifest, { version: "1.1", aliasDuplicateObjects: false });
  return document.toString({ lineWidth: 0, directives: false });
}

function titleOf({ id, get, put, check, task }: Plan): string {
  const [kind = "plan", body] = Object.entries({ get, put, check, task }).find(([, one]) => one !== undefined) ?? [];
  return `${kind} ${showText(body?.name ?? "").slice(1, -1)} (plan ${id})`;
}

function podSettingsOf({ values }: Pick<EffectiveSettings, "values">): PodSettings {
  const baseTypes = parseBaseTypeOverrides(values.baseTypes);
  if (!baseTypes.ok) throw baseTypes.error;
  const nodeRegistries = parseNodeRegistries(values.nodeRegistries);
  if (!nodeRegistries.ok) throw nodeRegistries.error;
  const nodeSelector = Object.fromEntries(
    values.nodeSelector.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
  return {
    baseTypes: baseTypes.overrides,
    nodeRegistries: nodeRegistries.nodeRegistries,
    security: values.podSecurity,
    runAsUser: values.podUser,
    ...(values.baseTypePrefix === undefined ? {} : { baseTypePrefix: values.baseTypePrefix }),
    ...(values.podNamespace === undefined ? {} : { namespace: values.podNamespace }),
    ...(values.serviceAccount === undefined ? {} : { serviceAccountName: values.serviceAccount }),
    ...(values.podDeadline === 0 ? {} : { deadlineSeconds: Math.ceil(values.podDeadline / 1000) }),
    ...(values.externalUrl === undefined ? {} : { externalUrl: values.externalUrl }),
    ...(values.nodeSelector.length === 0 ? {} : { nodeSelector }),
  };
}
