/** Complete media frames of a timed track without order, until they are due. In: frames. Out: the first due, O(log n). */
import { Heap } from './heap.ts';
import type { HeldShare } from './held.ts';
import { FRAME_HELD_BYTES } from './limits.ts';
import type { ReceivedMedia } from './received-media.ts';

/** See the file header. */
export class DueFrames {
  readonly #frames: Heap<ReceivedMedia> = new Heap<ReceivedMedia>(isDueBefore);
  readonly #held: HeldShare;

  constructor(held: HeldShare) {
    this.#held = held;
  }

  get length(): number {
    return this.#frames.size;
  }

  get first(): ReceivedMedia | undefined {
    return this.#frames.top;
  }

  push(frame: ReceivedMedia): void {
    this.#frames.push(frame);
    this.#held.charge(FRAME_HELD_BYTES);
  }

  shift(): ReceivedMedia | undefined {
    const first = this.#frames.pop();
    if (first !== undefined) this.#held.charge(-FRAME_HELD_BYTES);
    return first;
  }

  clear(): void {
    for (let first = this.shift(); first !== undefined; first = this.shift()) first.release();
  }
}

/** Those due at once leave in the order of sending. */
function isDueBefore(a: ReceivedMedia, b: ReceivedMedia): boolean {
  return a.dueUs === b.dueUs ? a.first < b.first : a.dueUs < b.dueUs;
}
