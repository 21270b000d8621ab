import type { Logger } from "@fetch-image/core";
import type { Audit } from "@fetch-image/engine";
import { openStores, projectToHead, type Stores } from "../open-stores.ts";
import type { EffectiveSettings } from "../effective-settings.ts";

export interface OpenAudit extends AsyncDisposable {
  readonly audit: Audit;
  readonly stores: Stores;
}

/** The audit over the stores, the read model brought up to what is stored now. */
export async function openAudit(settings: EffectiveSettings, logger: Logger): Promise<OpenAudit> {
  const [{ createAudit }, stores] = await Promise.all([
    import("@fetch-image/engine"),
    openStores(settings, { access: "read", logger }),
  ]);
  try {
    await projectToHead(stores, logger);
  } catch (error) {
    await stores[Symbol.asyncDispose]();
    throw error;
  }
  const { readModel, where } = stores;
  return {
    audit: createAudit({ readModel, where, elsewhere: "Check --data or --database-url." }),
    stores,
    [Symbol.asyncDispose]: () => stores[Symbol.asyncDispose](),
  };
}
