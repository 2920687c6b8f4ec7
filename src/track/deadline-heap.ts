/**
 * The earliest deadline of many tracks without a walk over them: a binary heap keyed by an armed time that is never
 * later than the track's real deadline. Touching a track costs a comparison unless its deadline moved closer; keys
 * that turn out too early are corrected when they reach the top.
 */
import { type Micros, NEVER } from '../base/protocol.ts';

/** Something with a deadline. The two fields belong to the heap. */
export interface Timed {
  nextDeadline(): Micros;
  handleTimeout(now: Micros): void;
  /** Position in the heap; -1: not in it. */
  heapIndex: number;
  armedUs: Micros;
}

/** See the file header. O(log n) where a deadline moves closer, else O(1). */
export class DeadlineHeap {
  readonly #items: Timed[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** Call after anything that may have changed the item's deadline. */
  touch(item: Timed): void {
    const deadline = item.nextDeadline();
    if (item.heapIndex >= 0 && item.armedUs <= deadline) return;
    if (item.heapIndex < 0) {
      if (deadline === NEVER) return;
      item.heapIndex = this.#items.length;
      this.#items.push(item);
    }
    item.armedUs = deadline;
    this.#up(item.heapIndex);
  }

  /** The exact earliest deadline. */
  earliest(): Micros {
    for (let top = this.#items[0]; top !== undefined; top = this.#items[0]) {
      const deadline = top.nextDeadline();
      if (deadline <= top.armedUs) return deadline;
      if (deadline === NEVER) {
        this.remove(top);
        continue;
      }
      top.armedUs = deadline;
      this.#down(0);
    }
    return NEVER;
  }

  /** Runs `handleTimeout` of every item that is due. */
  run(now: Micros): void {
    // An item that stays due would hang the loop: one turn each is enough, the caller comes back.
    for (let turns = this.#items.length; turns > 0 && this.earliest() <= now; turns--) {
      const top = this.#items[0] as Timed;
      top.handleTimeout(now);
      if (top.heapIndex < 0) continue;
      top.armedUs = top.nextDeadline();
      if (top.armedUs === NEVER) this.remove(top);
      else this.#down(top.heapIndex);
    }
  }

  remove(item: Timed): void {
    const at = item.heapIndex;
    if (at < 0) return;
    item.heapIndex = -1;
    const last = this.#items.pop() as Timed;
    if (last === item) return;
    this.#items[at] = last;
    last.heapIndex = at;
    this.#up(at);
    this.#down(last.heapIndex);
  }

  #up(from: number): void {
    const items = this.#items;
    const item = items[from] as Timed;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent] as Timed;
      if (above.armedUs <= item.armedUs) break;
      items[at] = above;
      above.heapIndex = at;
      at = parent;
    }
    items[at] = item;
    item.heapIndex = at;
  }

  #down(from: number): void {
    const items = this.#items;
    const item = items[from] as Timed;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      const right = items[child + 1];
      if (right !== undefined && right.armedUs < (items[child] as Timed).armedUs) child++;
      const below = items[child] as Timed;
      if (below.armedUs >= item.armedUs) break;
      items[at] = below;
      below.heapIndex = at;
      at = child;
    }
    items[at] = item;
    item.heapIndex = at;
  }
}
