import { createMemoryEventLog } from "@fetch-image/store/memory";
import { eventLogContract } from "./event-log.contract.ts";

eventLogContract("the process's memory", { open: async () => createMemoryEventLog() }, { modelRuns: 300 });
