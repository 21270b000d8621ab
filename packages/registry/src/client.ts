// The client alone, for what must start fast: the main entry loads what gets write and unpack, too.
export { createImageRegistry, type OciRegistry } from "./image-registry.ts";
