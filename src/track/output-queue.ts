/**
 * Complete media frames that wait for the application. A slow application stays near the live edge: what is too old or
 * too much is dropped whole, oldest first, and counted. Source: DESIGN D3.
 */
import { type Micros, NEVER } from '../base/protocol.ts';
import { Deque } from './deque.ts';
import type { HeldShare } from './held.ts';
import { FRAME_HELD_BYTES, OUTPUT_AGE_US_MIN } from './limits.ts';
import type { Arrival, ReceivedFrame } from './types.ts';

interface Mutable extends ReceivedFrame {
  skipped: number;
}

/** What {@link OutputQueue.push} takes: a received frame before it is known how many it skips. */
export interface OutputFrame {
  /** Nobody else's memory. */
  readonly data: Uint8Array;
  readonly timestampUs: number;
  readonly durationUs: number | undefined;
  readonly keyFrame: boolean;
  readonly discardable: boolean;
  readonly frameId: number;
  readonly receivedAtUs: Micros;
  readonly how: Arrival;
  skipped: number;
}

/** See the file header. */
export class OutputQueue {
  readonly #frames: Deque<Mutable> = new Deque<Mutable>();
  readonly #pushedAtUs: Deque<Micros> = new Deque<Micros>();
  readonly #held: HeldShare;
  /** Frames dropped since one was handed out, and what those had skipped. */
  #skipped = 0;
  bytes = 0;
  droppedFrames = 0;

  constructor(held: HeldShare) {
    this.#held = held;
  }

  get length(): number {
    return this.#frames.length;
  }

  push(frame: OutputFrame, latencyUs: Micros, now: Micros): void {
    this.#frames.push(frame);
    this.#pushedAtUs.push(now);
    this.bytes += frame.data.length;
    this.#held.charge(frame.data.length + FRAME_HELD_BYTES);
    const oldest = now - Math.max(latencyUs, OUTPUT_AGE_US_MIN);
    while (this.#held.isExceeded || (this.#pushedAtUs.at(0) ?? NEVER) < oldest) {
      const dropped = this.#take() as Mutable;
      this.#skipped += 1 + dropped.skipped;
      this.droppedFrames++;
    }
  }

  /** The next media frame; undefined when there is none. */
  poll(): ReceivedFrame | undefined {
    const frame = this.#take();
    if (frame === undefined) return undefined;
    frame.skipped += this.#skipped;
    this.#skipped = 0;
    return frame;
  }

  #take(): Mutable | undefined {
    const frame = this.#frames.shift();
    if (frame === undefined) return undefined;
    this.#pushedAtUs.shift();
    this.bytes -= frame.data.length;
    this.#held.charge(-frame.data.length - FRAME_HELD_BYTES);
    return frame;
  }

  /** What waits belongs to the application alone. */
  detach(): void {
    this.#held.detach();
  }

  clear(): void {
    while (this.#take() !== undefined);
  }
}
