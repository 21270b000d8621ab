/** The fields that say something: without what Go's `omitempty` leaves out (nothing, "", 0, false, empty lists and maps). */
export function omitEmpty<T extends object>(fields: T): { [Name in keyof T]?: Exclude<T[Name], undefined> };
export function omitEmpty(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)));
}

function isEmpty(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === "" || value === 0 || value === false;
}
