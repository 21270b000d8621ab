import type { ImageRecipe } from "@fetch-image/registry/embedded";
import { tarOf } from "../../registry/tar-builder.ts";
import { programThatPrints, programThatWaits } from "./static-program.ts";

/** An image whose containers print the text and end: by its entry point, and by whatever else of `programs` they are told to run. */
export function imageThatPrints(text: string, programs: readonly string[] = ["/bin/step"]): ImageRecipe {
  return imageOf(programThatPrints(text), programs);
}

/** The image of a resource type: its three programs print the text. */
export function resourceImage(text: string): ImageRecipe {
  return imageThatPrints(text, ["/opt/resource/check", "/opt/resource/in", "/opt/resource/out"]);
}

/** The image of the container that holds a pod's namespaces. */
export function pauseImage(): ImageRecipe {
  return imageOf(programThatWaits(), ["/pause"]);
}

function imageOf(program: Buffer, programs: readonly string[]): ImageRecipe {
  const paths = programs.map((path) => path.slice(1));
  const above = (path: string): string[] => path.split("/").slice(0, -1);
  const directories = new Set(
    paths.flatMap((path) =>
      above(path).map(
        (_, at) =>
          `${above(path)
            .slice(0, at + 1)
            .join("/")}/`,
      ),
    ),
  );
  const files = paths.map((name) => ({ name, content: program, mode: 0o755 }));
  return {
    layers: [tarOf([...[...directories].map((name) => ({ name })), ...files])],
    config: { Entrypoint: [programs[0] ?? ""], Env: ["PATH=/bin"] },
  };
}
