/**
 * The media frames of one track that a receiver holds, ascending by symbol id. Usual case O(1): a symbol belongs to
 * the frame that the last one belonged to, a new frame goes to the end, a delivered one leaves from the front.
 */
import type { HeldShare } from './held.ts';
import { FRAME_HELD_BYTES } from './limits.ts';
import type { ReceivedMedia } from './received-media.ts';

/** See the file header. */
export class FrameWindow {
  readonly #frames: ReceivedMedia[] = [];
  readonly #held: HeldShare;
  #recent: ReceivedMedia | undefined;

  constructor(held: HeldShare) {
    this.#held = held;
  }

  get length(): number {
    return this.#frames.length;
  }

  at(index: number): ReceivedMedia | undefined {
    return this.#frames[index];
  }

  /** The frame whose index 0 has symbol id `first`. */
  find(first: number): ReceivedMedia | undefined {
    if (this.#recent?.first === first) return this.#recent;
    const frame = this.#frames[this.indexAfter(first) - 1];
    if (frame?.first !== first) return undefined;
    this.#recent = frame;
    return frame;
  }

  /** How many frames begin at or before symbol id `first`. */
  indexAfter(first: number): number {
    const frames = this.#frames;
    let low = 0;
    let high = frames.length;
    if (high === 0 || (frames[high - 1] as ReceivedMedia).first <= first) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((frames[middle] as ReceivedMedia).first <= first) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @returns Where it went; -1 if it overlaps a frame that is here. */
  insert(frame: ReceivedMedia): number {
    const index = this.indexAfter(frame.first);
    const before = this.#frames[index - 1];
    const after = this.#frames[index];
    if (before !== undefined && before.end > frame.first) return -1;
    if (after !== undefined && frame.end > after.first) return -1;
    if (after === undefined) this.#frames.push(frame);
    else this.#frames.splice(index, 0, frame);
    this.#recent = frame;
    this.#held.charge(FRAME_HELD_BYTES);
    return index;
  }

  removeAt(index: number): void {
    if (this.#recent === this.#frames[index]) this.#recent = undefined;
    if (index === 0) this.#frames.shift();
    else this.#frames.splice(index, 1);
    this.#held.charge(-FRAME_HELD_BYTES);
  }

  clear(): void {
    for (const frame of this.#frames) frame.release();
    this.#held.charge(-FRAME_HELD_BYTES * this.#frames.length);
    this.#frames.length = 0;
    this.#recent = undefined;
  }
}
