import type { ImageRecipe } from "@fetch-image/registry/embedded";
import { tarOf } from "../../registry/tar-builder.ts";
import { programThatPrints, programThatWaits } from "./static-program.ts";

/** An image whose containers print the text and end, whatever they are told to run of `programs`. */
export function imageThatPrints(text: string, programs: readonly string[] = ["step"]): ImageRecipe {
  return imageOf(programThatPrints(text), programs);
}

/** The image of the container that holds a pod's namespaces. */
export function pauseImage(): ImageRecipe {
  return imageOf(programThatWaits(), ["pause"]);
}

function imageOf(program: Buffer, [first = "step", ...others]: readonly string[]): ImageRecipe {
  const files = [first, ...others].map((name) => ({ name: `bin/${name}`, content: program, mode: 0o755 }));
  return {
    layers: [tarOf([{ name: "bin/" }, ...files])],
    config: { Entrypoint: [`/bin/${first}`], Env: ["PATH=/bin"] },
  };
}
