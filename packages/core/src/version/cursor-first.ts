/**
 * The tags with the cursor's first, in the order in which the resource then looks at them: it decides which of two
 * equally good names a digest gets. The resource sorts by "is it the cursor's tag" with Go's `sort.Slice`, which keeps
 * lists of up to 12 in order, and longer ones nearly: a few tags change places in lists of 13 to 49, and in longer
 * ones where the cursor's tag stands where a pivot is sought. This is what pattern-defeating quicksort, as in Go since
 * 1.19, comes to for a list of equals with one smaller element.
 */
export function cursorFirst(tags: readonly string[], cursorTag: string | undefined): readonly string[] {
  const at = cursorTag === undefined ? -1 : tags.indexOf(cursorTag);
  if (at <= 0) return tags;
  const order = [...tags];
  const pivot = pivotOf(order.length, at);
  if (pivot === "none") {
    order.unshift(...order.splice(at, 1));
    return order;
  }
  // One partition brings the cursor's tag to the front, with the pivot next to it.
  swap(order, 0, pivot);
  swap(order, 1, at);
  swap(order, 0, 1);
  // The rest has nothing left to sort. It is stirred nevertheless, since the partition was lopsided.
  if (order.length >= 16) stir(order, 2);
  if (order.length >= 16 || (order.length === 15 && at !== 1)) swap(order, 2, middle(2, order.length));
  return order;
}

/** Where the first pivot stands; none where the list is put in order by moving the smaller element alone. */
function pivotOf(length: number, at: number): number | "none" {
  const quarter = Math.floor(length / 4);
  if (length <= 12) return "none";
  if (length < 50) return at === 2 * quarter || at === 3 * quarter ? quarter : 2 * quarter;
  // Of longer lists each candidate is looked at between its neighbours, and the order of two of the three is noticed.
  if (![quarter, 2 * quarter, 3 * quarter].some((pivot) => at === pivot || at === pivot + 1)) return "none";
  return at === 2 * quarter || at === 2 * quarter + 1 ? 2 * quarter - 1 : 2 * quarter;
}

/** Three elements in the middle change places with others, drawn by a xorshift seeded with the length. */
function stir(order: string[], from: number): void {
  const length = order.length - from;
  const mask = 2n ** BigInt(length.toString(2).length) - 1n;
  let random = BigInt(length);
  for (let at = middle(from, order.length) - 1; at <= middle(from, order.length) + 1; at += 1) {
    random ^= BigInt.asUintN(64, random << 13n);
    random ^= random >> 7n;
    random ^= BigInt.asUintN(64, random << 17n);
    const other = Number(random & mask);
    swap(order, at, from + (other >= length ? other - length : other));
  }
}

function middle(from: number, to: number): number {
  return from + 2 * Math.floor((to - from) / 4);
}

function swap(order: string[], a: number, b: number): void {
  const [left = "", right = ""] = [order[a], order[b]];
  order[a] = right;
  order[b] = left;
}
