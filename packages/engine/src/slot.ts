/**
 * What stands for a value in a Map or Set that much comes and goes in, emptied as the value leaves. Such a table is soon
 * outgrown by its gaps, and V8 has each one that was lead to the next, until its full collection: whatever stood in one
 * is kept, copied and promoted with it, though nobody can reach it.
 */
export interface Slot<T> {
  held: T | undefined;
}
