/**
 * A modelled encoder: frames whose sizes follow a target with the imperfections of real ones. In: targets. Out: frame
 * sizes. Source: RFC 8867 §4.1 (range, response, variation); key frames as a fixed pattern.
 */
import type { SeededRandom } from '../../src/base/random.ts';
import { standardNormal } from '../../src/sim/distributions.ts';
import type { EncoderSpec } from './case.ts';

export const FRAMES_PER_SECOND = 30;
const RESPONSE_MS = 100;
const NOISE = 0.1;
const FRAME_BYTES_MIN = 100;

export class Encoder {
  readonly #spec: EncoderSpec;
  readonly #random: SeededRandom;
  readonly #heard: { readonly atUs: number; readonly bps: number }[] = [];
  #targetBps: number;
  #bps: number;
  #count = 0;

  constructor(spec: EncoderSpec, startBps: number, random: SeededRandom) {
    this.#spec = spec;
    this.#random = random;
    this.#targetBps = this.#clamp(startBps);
    this.#bps = this.#targetBps;
  }

  onTarget(bps: number, nowUs: number): void {
    this.#heard.push({ atUs: nowUs + (this.#spec.lateMs ?? 0) * 1000, bps });
  }

  /** True if the frame that `next` makes is a key frame. */
  get isKeyFrame(): boolean {
    const { keyFrames } = this.#spec;
    if (keyFrames === undefined) return this.#count === 0;
    return this.#count % Math.round(keyFrames.everySeconds * FRAMES_PER_SECOND) === 0;
  }

  /** Bytes of the next frame. */
  next(nowUs: number): number {
    while (this.#heard.length > 0 && (this.#heard[0] as { atUs: number }).atUs <= nowUs) {
      this.#targetBps = this.#clamp((this.#heard.shift() as { bps: number }).bps);
    }
    const step = 1000 / FRAMES_PER_SECOND / (this.#spec.responseMs ?? RESPONSE_MS);
    this.#bps += (this.#targetBps - this.#bps) * Math.min(1, step);
    const size = (this.#bps / FRAMES_PER_SECOND / 8) * this.#factor() * this.#keyFrameFactor();
    this.#count++;
    return Math.max(FRAME_BYTES_MIN, Math.round(size));
  }

  #factor(): number {
    const { spread, noise = NOISE } = this.#spec;
    if (spread !== undefined) return 1 + spread * (2 * this.#random.unit() - 1);
    return Math.max(0.5, 1 + noise * standardNormal(this.#random));
  }

  #keyFrameFactor(): number {
    const { keyFrames } = this.#spec;
    if (keyFrames === undefined) return 1;
    const frames = Math.round(keyFrames.everySeconds * FRAMES_PER_SECOND);
    const ordinary = frames / (frames - 1 + keyFrames.size);
    return this.isKeyFrame ? keyFrames.size * ordinary : ordinary;
  }

  #clamp(bps: number): number {
    return Math.max(this.#spec.minBps, Math.min(bps, this.#spec.maxBps));
  }
}
