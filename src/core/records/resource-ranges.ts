/**
 * Arithmetic on inclusive integer ranges, kept flat: [begin, end, begin, end, …], sorted, not touching each other. Every
 * function returns a new array or one of its inputs and changes none.
 */
export type FlatRanges = readonly number[];

/** Sorts, merges overlapping and adjacent ranges, drops those that end before they begin. */
export function normalizeRanges(pairs: readonly { readonly begin: number; readonly end: number }[]): FlatRanges {
  if (pairs.length === 1) {
    const only = pairs[0];
    return only === undefined || only.end < only.begin ? [] : [only.begin, only.end];
  }
  const sorted = pairs.filter((pair) => pair.end >= pair.begin).sort((a, b) => a.begin - b.begin);
  const flat: number[] = [];
  for (const { begin, end } of sorted) append(flat, begin, end);
  return flat;
}

/** Adds a range that begins no earlier than the last one. */
function append(flat: number[], begin: number, end: number): void {
  const last = flat.length - 1;
  const lastEnd = flat[last];
  if (lastEnd === undefined || begin > lastEnd + 1) flat.push(begin, end);
  else if (end > lastEnd) flat[last] = end;
}

export function addRanges(a: FlatRanges, b: FlatRanges): FlatRanges {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const flat: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const fromA = j >= b.length || (i < a.length && at(a, i) <= at(b, j));
    if (fromA) {
      append(flat, at(a, i), at(a, i + 1));
      i += 2;
    } else {
      append(flat, at(b, j), at(b, j + 1));
      j += 2;
    }
  }
  return flat;
}

/** What is in `a` and not in `b`. */
export function subtractRanges(a: FlatRanges, b: FlatRanges): FlatRanges {
  if (a.length === 0 || b.length === 0) return a;
  const flat: number[] = [];
  let j = 0;
  for (let i = 0; i < a.length; i += 2) {
    let begin = at(a, i);
    const end = at(a, i + 1);
    while (j < b.length && at(b, j + 1) < begin) j += 2;
    let k = j;
    while (k < b.length && at(b, k) <= end) {
      if (at(b, k) > begin) flat.push(begin, at(b, k) - 1);
      begin = Math.max(begin, at(b, k + 1) + 1);
      k += 2;
    }
    if (begin <= end) flat.push(begin, end);
  }
  return flat;
}

/** Whether every number of `b` is in `a`. */
export function containsRanges(a: FlatRanges, b: FlatRanges): boolean {
  let i = 0;
  for (let j = 0; j < b.length; j += 2) {
    while (i < a.length && at(a, i + 1) < at(b, j)) i += 2;
    if (i >= a.length || at(a, i) > at(b, j) || at(a, i + 1) < at(b, j + 1)) return false;
  }
  return true;
}

/** How many numbers the ranges hold. */
export function countRanges(flat: FlatRanges): number {
  let count = 0;
  for (let i = 0; i < flat.length; i += 2) count += at(flat, i + 1) - at(flat, i) + 1;
  return count;
}

/** The first `count` numbers in rising order, fewer if there are not so many. */
export function firstOfRanges(flat: FlatRanges, count: number): number[] {
  const numbers: number[] = [];
  for (let i = 0; i < flat.length && numbers.length < count; i += 2) {
    for (let n = at(flat, i); n <= at(flat, i + 1) && numbers.length < count; n++) numbers.push(n);
  }
  return numbers;
}

export function rangePairs(flat: FlatRanges): { begin: number; end: number }[] {
  const pairs: { begin: number; end: number }[] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push({ begin: at(flat, i), end: at(flat, i + 1) });
  return pairs;
}

/** Indices are even and below the length by construction. */
function at(flat: FlatRanges, index: number): number {
  return flat[index] ?? Number.NaN;
}
