import { sharedEmbedded } from "./shared-embedded.ts";
import { sqlContract } from "./sql.contract.ts";

const store = sharedEmbedded();

sqlContract("PGlite", {
  open: async () => {
    const sql = await store.sql();
    // One instance for all: it takes seconds to make.
    return new Proxy(sql, {
      get: (target, property) => {
        if (property === "close") return async () => undefined;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  },
});
