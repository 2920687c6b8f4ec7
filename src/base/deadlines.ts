/**
 * Deadlines of many things, each named by a small integer: earliest first, any of them movable.
 * An indexed binary heap: set and take cost O(log n), reading the earliest O(1); nothing is allocated in steady state.
 */
import { type Micros, NEVER } from './protocol.ts';

export class Deadlines {
  /** Heap of ids. */
  readonly #heap: number[] = [];
  /** Position in the heap by id; -1: not in it. */
  readonly #position: number[] = [];
  readonly #at: number[] = [];

  /** The earliest deadline, or NEVER. */
  get next(): Micros {
    return this.#heap.length === 0 ? NEVER : (this.#at[this.#heap[0] as number] as Micros);
  }

  /** Sets, moves, or with NEVER removes, the deadline of `id` (a small integer, reused by its owner). */
  set(id: number, atUs: Micros): void {
    while (this.#position.length <= id) {
      this.#position.push(-1);
      this.#at.push(NEVER);
    }
    const position = this.#position[id] as number;
    if (atUs === NEVER) {
      if (position >= 0) this.#remove(position);
      return;
    }
    const before = this.#at[id] as Micros;
    this.#at[id] = atUs;
    if (position < 0) {
      this.#position[id] = this.#heap.push(id) - 1;
      this.#up(this.#heap.length - 1);
    } else if (atUs < before) this.#up(position);
    else if (atUs > before) this.#down(position);
  }

  /** Removes and returns an id whose deadline is at or before `now`, or -1. */
  takeDue(now: Micros): number {
    if (this.next > now) return -1;
    const id = this.#heap[0] as number;
    this.#remove(0);
    return id;
  }

  #remove(position: number): void {
    const id = this.#heap[position] as number;
    const last = this.#heap.pop() as number;
    this.#position[id] = -1;
    this.#at[id] = NEVER;
    if (last === id) return;
    this.#place(last, position);
    this.#up(position);
    this.#down(this.#position[last] as number);
  }

  #place(id: number, position: number): void {
    this.#heap[position] = id;
    this.#position[id] = position;
  }

  #deadline(position: number): Micros {
    return this.#at[this.#heap[position] as number] as Micros;
  }

  #swap(a: number, b: number): void {
    const idA = this.#heap[a] as number;
    const idB = this.#heap[b] as number;
    this.#place(idA, b);
    this.#place(idB, a);
  }

  #up(from: number): void {
    let position = from;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      if (this.#deadline(parent) <= this.#deadline(position)) return;
      this.#swap(parent, position);
      position = parent;
    }
  }

  #down(from: number): void {
    let position = from;
    for (;;) {
      const left = position * 2 + 1;
      if (left >= this.#heap.length) return;
      const right = left + 1;
      const child = right < this.#heap.length && this.#deadline(right) < this.#deadline(left) ? right : left;
      if (this.#deadline(position) <= this.#deadline(child)) return;
      this.#swap(position, child);
      position = child;
    }
  }
}
