/**
 * Media frames of one track that have not left entirely, in the order of sending, and which of them goes first when
 * they do not fit: discardable ones, then ordinary ones, then key frames; never one that has begun.
 */
import { type Micros, NEVER } from '../base/protocol.ts';
import { Deque } from './deque.ts';
import type { SentFrame } from './sent-frame.ts';

/** See the file header. Settled frames inside are skipped lazily: call {@link drop} for each that settles. */
export class SendQueue {
  readonly #frames: Deque<SentFrame> = new Deque<SentFrame>();
  #live = 0;
  #waitingDiscardable = 0;
  #waitingOrdinary = 0;
  /** Media bytes not yet written. */
  bytes = 0;

  /** Frames not entirely written. */
  get length(): number {
    return this.#live;
  }

  /** Discardable frames that have not begun. */
  get discardableCount(): number {
    return this.#waitingDiscardable;
  }

  /** The frame whose symbols are next. */
  get head(): SentFrame | undefined {
    let head = this.#frames.at(0);
    while (head?.isSettled === true) {
      this.#frames.shift();
      head = this.#frames.at(0);
    }
    return head;
  }

  push(frame: SentFrame): void {
    this.#frames.push(frame);
    this.#live++;
    this.bytes += frame.unsentBytes;
    this.#count(frame, 1);
  }

  /** The head's first symbol is about to leave: it can no longer be discarded. */
  begin(frame: SentFrame): void {
    this.#count(frame, -1);
  }

  /** `size` media bytes of the head have left for the first time. */
  wrote(frame: SentFrame, size: number): void {
    frame.unsentBytes -= size;
    this.bytes -= size;
  }

  /** The head has left entirely. */
  finish(): void {
    this.#frames.shift();
    this.#live--;
  }

  /** A frame of this queue settles before it left entirely. Mark it settled as well. */
  drop(frame: SentFrame): void {
    this.#live--;
    this.bytes -= frame.unsentBytes;
    frame.unsentBytes = 0;
    if (frame.first < 0) this.#count(frame, -1);
  }

  /** The frame to discard first; undefined if every one has begun. O(n) only while frames are being discarded. */
  victim(): SentFrame | undefined {
    for (let i = 0; i < this.#frames.length; i++) {
      const frame = this.#frames.at(i) as SentFrame;
      if (frame.isSettled || frame.first >= 0) continue;
      if (this.#waitingDiscardable > 0 && !frame.isDiscardable) continue;
      if (this.#waitingDiscardable === 0 && this.#waitingOrdinary > 0 && frame.isKeyFrame) continue;
      return frame;
    }
    return undefined;
  }

  /**
   * The next frame to begin cannot leave whole in time, and a younger one waits: begun, it would cost both. The last
   * one in the queue always begins: what the path takes may be more than is known of it.
   */
  isHeadTooLate(now: Micros, packetUs: Micros): boolean {
    const head = this.head;
    if (head === undefined || head.first >= 0 || this.length === 1) return false;
    return now + (head.count - 1) * packetUs > head.deadlineUs;
  }

  /** When discardable frames begin to expire because the queue is older than half of the latency. */
  pressureAtUs(latencyUs: Micros): Micros {
    const head = this.head;
    if (head === undefined || this.#waitingDiscardable === 0) return NEVER;
    return head.sentAtUs + Math.floor(latencyUs / 2);
  }

  #count(frame: SentFrame, by: number): void {
    if (frame.isDiscardable) this.#waitingDiscardable += by;
    else if (!frame.isKeyFrame) this.#waitingOrdinary += by;
  }
}
