/**
 * A set of integers as ascending, disjoint, non-adjacent ranges, bounded in number: packet numbers, stream offsets,
 * symbol ids. Flat number arrays, binary search; inserts at the end (the usual case) are O(1).
 */
export class Ranges {
  /** Start of each range, inclusive. */
  readonly #starts: number[] = [];
  /** End of each range, exclusive. */
  readonly #ends: number[] = [];

  /** How many ranges there are. */
  get count(): number {
    return this.#starts.length;
  }

  /** Inclusive start of range `index`, ascending. */
  start(index: number): number {
    return this.#starts[index] as number;
  }

  /** Exclusive end of range `index`. */
  end(index: number): number {
    return this.#ends[index] as number;
  }

  /** Index of the first range that ends at or after `value`. */
  #find(value: number): number {
    const ends = this.#ends;
    let low = 0;
    let high = ends.length;
    if (high > 0 && (ends[high - 1] as number) < value) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ends[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  has(value: number): boolean {
    const at = this.#find(value + 1);
    return at < this.#starts.length && (this.#starts[at] as number) <= value;
  }

  /** True when every integer of [start, end) is in the set. */
  covers(start: number, end: number): boolean {
    if (start >= end) return true;
    const at = this.#find(end);
    return at < this.#starts.length && (this.#starts[at] as number) <= start;
  }

  /** Adds [start, end); touching ranges merge. */
  add(start: number, end: number): void {
    if (start >= end) return;
    const starts = this.#starts;
    const ends = this.#ends;
    const first = this.#find(start);
    let last = first;
    let mergedStart = start;
    let mergedEnd = end;
    while (last < starts.length && (starts[last] as number) <= end) {
      mergedStart = Math.min(mergedStart, starts[last] as number);
      mergedEnd = Math.max(mergedEnd, ends[last] as number);
      last++;
    }
    if (last === first + 1) {
      starts[first] = mergedStart;
      ends[first] = mergedEnd;
    } else if (first === starts.length) {
      starts.push(mergedStart);
      ends.push(mergedEnd);
    } else {
      starts.splice(first, last - first, mergedStart);
      ends.splice(first, last - first, mergedEnd);
    }
  }

  /** Removes every integer below `value`. */
  removeBelow(value: number): void {
    const starts = this.#starts;
    const ends = this.#ends;
    let drop = 0;
    while (drop < ends.length && (ends[drop] as number) <= value) drop++;
    if (drop > 0) {
      starts.splice(0, drop);
      ends.splice(0, drop);
    }
    if (starts.length > 0 && (starts[0] as number) < value) starts[0] = value;
  }

  /** Removes [start, end). */
  remove(start: number, end: number): void {
    if (start >= end) return;
    const starts = this.#starts;
    const ends = this.#ends;
    let at = this.#find(start + 1);
    while (at < starts.length && (starts[at] as number) < end) {
      const rangeStart = starts[at] as number;
      const rangeEnd = ends[at] as number;
      if (rangeStart < start && rangeEnd > end) {
        ends[at] = start;
        starts.splice(at + 1, 0, end);
        ends.splice(at + 1, 0, rangeEnd);
        return;
      }
      if (rangeStart < start) {
        ends[at] = start;
        at++;
      } else if (rangeEnd > end) {
        starts[at] = end;
        return;
      } else {
        starts.splice(at, 1);
        ends.splice(at, 1);
      }
    }
  }

  /** Drops the lowest ranges until at most `max` remain. */
  keepHighest(max: number): void {
    const drop = this.#starts.length - max;
    if (drop > 0) {
      this.#starts.splice(0, drop);
      this.#ends.splice(0, drop);
    }
  }

  clear(): void {
    this.#starts.length = 0;
    this.#ends.length = 0;
  }
}
