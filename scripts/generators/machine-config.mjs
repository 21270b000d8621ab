// docs/machine.json: the FetchImage machine's config as JSON, to be opened by tools that take one.
import { machineDefinition } from "../../packages/core/dist/index.js";

export const path = "docs/machine.json";

export function make() {
  return `${JSON.stringify(JSON.parse(machineDefinition()), null, 2)}\n`;
}
