import { createMemoryReadModel } from "@fetch-image/store/memory";
import { readModelContract } from "./read-model.contract.ts";

readModelContract("the process's memory", { open: async () => createMemoryReadModel() });
