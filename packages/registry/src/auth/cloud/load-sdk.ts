import { FetchImageError, type RegistryImageSource } from "@fetch-image/core/registry-image";

/**
 * A vendor's library, loaded when the first source asks for it. They are optional dependencies: who uses no cloud can
 * leave them out. Rejects with `FI_SETTING_INVALID`, naming the package and the field that wants it.
 */
export async function loadSdk<T>(name: string, field: keyof RegistryImageSource, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw new FetchImageError("FI_SETTING_INVALID", {
      message: `${field} of the source needs the package ${name}, which cannot be loaded`,
      hint: `Install it: npm install ${name}`,
      details: { field, package: name },
      ...(error instanceof Error ? { cause: error } : {}),
    });
  }
}
