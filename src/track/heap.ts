/**
 * A binary heap, the least on top: symbol ids that wait for a resend, media frames that wait until they are due.
 * Push and pop cost O(log n); nothing is allocated once it has grown.
 */

/** True if `a` comes out before `b`. */
export type IsBefore<T> = (a: T, b: T) => boolean;

/** See the file header. */
export class Heap<T> {
  readonly #items: T[] = [];
  readonly #isBefore: IsBefore<T>;

  constructor(isBefore: IsBefore<T>) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#items.length;
  }

  /** The least; undefined when empty. */
  get top(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent] as T;
      if (!this.#isBefore(item, above)) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  pop(): T | undefined {
    const items = this.#items;
    const least = items[0];
    const last = items.pop();
    const size = items.length;
    if (last === undefined || size === 0) return least;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#isBefore(items[child + 1] as T, items[child] as T)) child++;
      const below = items[child] as T;
      if (!this.#isBefore(below, last)) break;
      items[at] = below;
      at = child;
    }
    items[at] = last;
    return least;
  }

  clear(): void {
    this.#items.length = 0;
  }
}
