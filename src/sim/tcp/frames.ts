/**
 * Live media over one TCP connection, as applications do it: each media frame is written to the stream behind a
 * length, and frames are skipped while the connection is behind. In: frames at their capture times. Out: when each was
 * complete at the other end, in order. A frame that is skipped or never arrives is reported as such, never left out.
 */
import type { Micros } from '../../base/protocol.ts';
import type { Simulator } from '../simulator.ts';
import type { TcpFlow } from './flow.ts';

/** Bytes an application puts in front of each frame to find its end. */
export const FRAME_PREFIX_BYTES = 4;

export interface FrameSourceOptions {
  /** Skips frames while the oldest unsent byte is older than this, milliseconds; default never. */
  readonly skipWhenBehindMs?: number;
  /**
   * False (default): the application skips before it encodes, so later frames do not refer to a skipped one: the kindest
   * case for TCP. True: frames come encoded, so after a skipped one all are skipped until the next key frame.
   */
  readonly resumesAtKeyFrame?: boolean;
  /**
   * True (default): `frames` has every frame offered. False: it stays empty, and nothing is held of a frame that has
   * arrived: for a source that runs for hours. `send` and `onFrame` give each record all the same.
   */
  readonly keepsFrames?: boolean;
}

/** Frames that have arrived are let go when there are so many, all at once. */
const ARRIVED_MAX = 1024;

/** What became of one frame. */
export interface FrameRecord {
  readonly id: number;
  readonly sizeBytes: number;
  readonly isKeyFrame: boolean;
  readonly writtenAtUs: Micros;
  /** When its last byte was read at the other end; `Infinity` so far or for ever. */
  deliveredAtUs: Micros;
  readonly isSkipped: boolean;
}

interface PendingFrame {
  readonly record: FrameRecord;
  readonly end: number;
}

/** Writes frames to a flow and notes when they arrive. Several sources may not share one flow; several tracks may. */
export class TcpFrameSource {
  /** Every frame offered, in order; empty without `keepsFrames`. */
  readonly frames: FrameRecord[] = [];
  /** Called as each frame arrives. */
  onFrame: (frame: FrameRecord) => void = () => {};
  readonly #sim: Simulator;
  readonly #flow: TcpFlow;
  readonly #skipUs: Micros;
  readonly #resumesAtKeyFrame: boolean;
  readonly #keepsFrames: boolean;
  /** Written frames: those that have arrived, up to `#arrived`, then those that have not. */
  readonly #pending: PendingFrame[] = [];
  #arrived = 0;
  #unsent = 0;
  #isWaitingForKeyFrame = false;

  constructor(sim: Simulator, flow: TcpFlow, options: FrameSourceOptions = {}) {
    this.#sim = sim;
    this.#flow = flow;
    this.#skipUs = (options.skipWhenBehindMs ?? Number.POSITIVE_INFINITY) * 1_000;
    this.#resumesAtKeyFrame = options.resumesAtKeyFrame ?? false;
    this.#keepsFrames = options.keepsFrames ?? true;
    flow.onData = (inOrderBytes, nowUs) => this.#onData(inOrderBytes, nowUs);
  }

  /** How long the oldest byte that TCP has not yet sent has been waiting. */
  get behindUs(): Micros {
    const sent = this.#flow.sender.sentBytes;
    while (this.#unsent < this.#pending.length && (this.#pending[this.#unsent] as PendingFrame).end <= sent) {
      this.#unsent++;
    }
    const oldest = this.#pending[this.#unsent];
    return oldest === undefined ? 0 : this.#sim.now - oldest.record.writtenAtUs;
  }

  /** Offers one frame now. The record tells whether it was skipped, and later when it arrived. */
  send(id: number, sizeBytes: number, isKeyFrame: boolean): FrameRecord {
    const isSkipped = this.#mustSkip(isKeyFrame);
    const record: FrameRecord = {
      id,
      sizeBytes,
      isKeyFrame,
      writtenAtUs: this.#sim.now,
      deliveredAtUs: Number.POSITIVE_INFINITY,
      isSkipped,
    };
    if (this.#keepsFrames) this.frames.push(record);
    if (isSkipped) return record;
    const bytes = FRAME_PREFIX_BYTES + sizeBytes;
    this.#pending.push({ record, end: this.#flow.sender.writtenBytes + bytes });
    this.#flow.write(bytes);
    return record;
  }

  #mustSkip(isKeyFrame: boolean): boolean {
    if (this.behindUs > this.#skipUs) {
      this.#isWaitingForKeyFrame = this.#resumesAtKeyFrame;
      return true;
    }
    if (isKeyFrame) this.#isWaitingForKeyFrame = false;
    return this.#isWaitingForKeyFrame;
  }

  #onData(inOrderBytes: number, nowUs: Micros): void {
    while (this.#arrived < this.#pending.length) {
      const { record, end } = this.#pending[this.#arrived] as PendingFrame;
      if (end > inOrderBytes) break;
      record.deliveredAtUs = nowUs;
      this.#arrived++;
      this.onFrame(record);
    }
    this.#forgetArrived();
  }

  /** What has arrived was sent: both indexes move with it. */
  #forgetArrived(): void {
    if (this.#arrived < ARRIVED_MAX) return;
    this.#pending.splice(0, this.#arrived);
    this.#unsent = Math.max(0, this.#unsent - this.#arrived);
    this.#arrived = 0;
  }
}
