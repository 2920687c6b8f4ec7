/**
 * A binary heap of things to do at instants of virtual time; equal instants run in the order they were scheduled.
 * In: (instant, function). Out: the earliest pair. Cost: O(log n) per push and pop, one small object per event.
 */
import type { Micros } from '../base/protocol.ts';

/** One scheduled action. `order` breaks ties, so equal seeds replay in the same order. */
export interface ScheduledEvent {
  readonly atUs: Micros;
  readonly order: number;
  readonly run: () => void;
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order);
}

/** A min-heap over {@link ScheduledEvent}. Events cannot be removed: a caller that changed its mind ignores the call. */
export class EventQueue {
  readonly #heap: ScheduledEvent[] = [];
  #order = 0;

  /** Events not yet taken. */
  get size(): number {
    return this.#heap.length;
  }

  /** The instant of the earliest event, or `Infinity`. */
  get nextAtUs(): Micros {
    return this.#heap[0]?.atUs ?? Number.POSITIVE_INFINITY;
  }

  /** Adds an action. `atUs` is any number but NaN. */
  push(atUs: Micros, run: () => void): void {
    const heap = this.#heap;
    const event: ScheduledEvent = { atUs, order: this.#order++, run };
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as ScheduledEvent;
      if (!isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  /** Takes the earliest event, or undefined when empty. */
  pop(): ScheduledEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    const size = heap.length;
    let at = 0;
    while (true) {
      let child = 2 * at + 1;
      if (child >= size) break;
      const right = child + 1;
      if (right < size && isBefore(heap[right] as ScheduledEvent, heap[child] as ScheduledEvent))
        child = right;
      const below = heap[child] as ScheduledEvent;
      if (!isBefore(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}
