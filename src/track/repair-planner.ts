/**
 * Asks the redundancy policy about each media frame that has left, and turns its answer into queued blocks.
 * Source: DESIGN D7 (the policy itself lives in plan/).
 */
import type { Micros } from '../base/protocol.ts';
import type { RepairQueue } from './repair-queue.ts';
import { blockCount } from './repair-queue.ts';
import type { SentFrame } from './sent-frame.ts';
import type { RepairInput, RepairPolicy, TrackKind } from './types.ts';

/** Weight of the newest interval in the usual one. */
const INTERVAL_GAIN = 1 / 8;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** See the file header. One per track. */
export class RepairPlanner {
  readonly #policy: RepairPolicy;
  readonly #queue: RepairQueue;
  readonly #input: Mutable<RepairInput>;
  #lastSendUs = -1;

  constructor(kind: TrackKind, policy: RepairPolicy, queue: RepairQueue) {
    this.#policy = policy;
    this.#queue = queue;
    this.#input = {
      symbols: 1,
      blocks: 1,
      kind,
      isKeyFrame: false,
      isDiscardable: false,
      deadlineLeftUs: 0,
      frameIntervalUs: 0,
    };
  }

  /** The application sent a media frame: learns the usual interval. */
  onSend(now: Micros): void {
    const input = this.#input;
    if (this.#lastSendUs >= 0) {
      const interval = now - this.#lastSendUs;
      const usual = input.frameIntervalUs;
      input.frameIntervalUs = usual === 0 ? interval : Math.round(usual + (interval - usual) * INTERVAL_GAIN);
    }
    this.#lastSendUs = now;
  }

  /** The last new symbol of `frame` has been written. */
  onFrameWritten(frame: SentFrame, now: Micros): void {
    const input = this.#input;
    input.blocks = blockCount(frame.count);
    input.symbols = Math.ceil(frame.count / input.blocks);
    input.isKeyFrame = frame.isKeyFrame;
    input.isDiscardable = frame.isDiscardable;
    input.deadlineLeftUs = frame.deadlineUs - now;
    const count = this.#policy.repairCount(input);
    if (!(count >= 1)) return;
    const cover = input.blocks === 1 ? (this.#policy.coverFrames?.(input) ?? 1) : 1;
    if (cover > 1) this.#queue.protectSeveral(frame, cover, Math.floor(count));
    else this.#queue.protect(frame, Math.floor(count));
  }
}
