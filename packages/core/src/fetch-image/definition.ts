import { fetchImageMachine } from "./machine.ts";

/**
 * The machine's config as JSON text, as Stately's tools take a machine: `createMachine(JSON.parse(…))` has the same states
 * and transitions. Guards, actions and delays are names; what computes their params is code, and left out.
 */
export function machineDefinition(): string {
  // Functions are dropped, as JSON does.
  return JSON.stringify(fetchImageMachine.config);
}
