/**
 * The frames of one source in one run: when each was offered, when it arrived, and whether it arrived as it was sent.
 * In: offers and deliveries. Out: records, one per frame offered; what never arrives is never left out.
 */
import type { Micros } from '../base/protocol.ts';
import { SeededRandom } from '../base/random.ts';

/** One frame. */
export interface LabFrame {
  readonly index: number;
  readonly sizeBytes: number;
  readonly isKeyFrame: boolean;
  /** When the application made the sending call. */
  readonly sentAtUs: Micros;
  /** When the application at the other end had all of it; `Infinity` so far or for ever. */
  deliveredAtUs: Micros;
  /**
   * The application skipped it before it was encoded: nobody gets it, and no later frame refers to it. The kindest view
   * of a sender that skips.
   */
  isSkipped: boolean;
}

/** Contents come from one block of noise at a place that depends on the frame: nothing to allocate, much to get wrong. */
const NOISE_BYTES = 1_048_576;
const NOISE_STEP = 7_919;
const NOISE_SEED = 0x6d72;

let noise: Uint8Array | undefined;

/** The bytes of a frame: a view of shared noise, not to be written into. */
export function frameContent(index: number, sizeBytes: number): Uint8Array {
  if (noise === undefined || noise.length < NOISE_BYTES + sizeBytes) {
    noise = new Uint8Array(NOISE_BYTES + sizeBytes);
    new SeededRandom(NOISE_SEED).fill(noise);
  }
  const start = (index * NOISE_STEP) % NOISE_BYTES;
  return noise.subarray(start, start + sizeBytes);
}

/** All frames of one source, in the order of sending. */
export class FrameLog {
  readonly frames: LabFrame[] = [];
  /** Delivered with other bytes, twice, or without having been sent. Must stay 0. */
  damaged = 0;

  /** Notes a frame that is offered now. */
  offer(sizeBytes: number, isKeyFrame: boolean, nowUs: Micros): LabFrame {
    const frame: LabFrame = {
      index: this.frames.length,
      sizeBytes,
      isKeyFrame,
      sentAtUs: nowUs,
      deliveredAtUs: Number.POSITIVE_INFINITY,
      isSkipped: false,
    };
    this.frames.push(frame);
    return frame;
  }

  /** Notes that frame `index` is there; `bytes`, where the transport carries any, are compared with what was sent. */
  deliver(index: number, bytes: Uint8Array | undefined, nowUs: Micros): void {
    const frame = this.frames[index];
    if (frame === undefined || frame.deliveredAtUs !== Number.POSITIVE_INFINITY || !isIntact(frame, bytes)) {
      this.damaged++;
      return;
    }
    frame.deliveredAtUs = nowUs;
  }
}

/** Every byte of small frames; of larger ones every so many, and the last: symbols go wrong in hundreds of bytes. */
const WHOLLY_CHECKED_BYTES = 2_048;
const CHECK_STEP = 8;

function isIntact(frame: LabFrame, bytes: Uint8Array | undefined): boolean {
  if (bytes === undefined) return true;
  if (bytes.length !== frame.sizeBytes) return false;
  const sent = frameContent(frame.index, frame.sizeBytes);
  const step = bytes.length <= WHOLLY_CHECKED_BYTES ? 1 : CHECK_STEP;
  for (let i = 0; i < bytes.length; i += step) if (bytes[i] !== sent[i]) return false;
  return bytes.at(-1) === sent.at(-1);
}
