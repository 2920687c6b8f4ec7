/**
 * Keeps an encoder to its target: encoders overshoot, above all with key frames and when the target has just fallen, and
 * what they overshoot would wait in a queue. In: the target, sizes of encoded pictures. Out: which pictures to leave out
 * before they are encoded, and how large they should be. Pure: no clock inside. Source: WebRTC's frame dropper and
 * quality scaler, in their simplest form.
 */

/** So much may be encoded ahead of the target before pictures are left out. */
const AHEAD_MS = 120;
/** What is further ahead than this is forgiven: a key frame must not stop the picture for a second. */
const AHEAD_MS_MAX = 350;

/** Leaves pictures out while the encoder is ahead of its target. */
export class FrameDropper {
  #aheadBits = 0;
  #atMs: number | undefined;

  /** True: leave this picture out. Call it for every picture. */
  skips(nowMs: number, targetBps: number): boolean {
    const elapsedMs = this.#atMs === undefined ? 0 : nowMs - this.#atMs;
    this.#atMs = nowMs;
    const drained = this.#aheadBits - (elapsedMs * targetBps) / 1_000;
    this.#aheadBits = Math.min((AHEAD_MS_MAX * targetBps) / 1_000, Math.max(0, drained));
    return this.#aheadBits > (AHEAD_MS * targetBps) / 1_000;
  }

  onEncoded(sizeBytes: number): void {
    this.#aheadBits += 8 * sizeBytes;
  }
}

/** Below so many bits per pixel and second the picture breaks into blocks, and the encoder cannot keep its target. */
const LEAST_BITS_PER_PIXEL = 1.1;
/** Upwards only when the target would carry the larger picture with ease, for so long. */
const UP_RATIO = 1.6;
const UP_MS = 4_000;
/** A new size costs a key frame. */
const DOWN_MS = 600;

/** Chooses the picture's size for a target: the whole, three quarters, a half, or three eighths of it. */
export class SizeLadder {
  static readonly #scales: readonly number[] = [1, 0.75, 0.5, 0.375];
  readonly #pixels: number;
  #step = 0;
  /** Since when the target has asked for another size. */
  #sinceMs: number | undefined;

  constructor(width: number, height: number) {
    this.#pixels = width * height;
  }

  /** The factor for width and height, 0..1. */
  scale(nowMs: number, targetBps: number): number {
    const needs = (step: number): number => {
      const scale = SizeLadder.#scales[step] ?? Number.NaN;
      return LEAST_BITS_PER_PIXEL * this.#pixels * scale * scale;
    };
    const isDown = this.#step + 1 < SizeLadder.#scales.length && targetBps < needs(this.#step);
    const isUp = this.#step > 0 && targetBps > UP_RATIO * needs(this.#step - 1);
    if (!isDown && !isUp) {
      this.#sinceMs = undefined;
    } else {
      this.#sinceMs ??= nowMs;
      if (nowMs - this.#sinceMs >= (isDown ? DOWN_MS : UP_MS)) {
        this.#step += isDown ? 1 : -1;
        this.#sinceMs = undefined;
      }
    }
    return SizeLadder.#scales[this.#step] as number;
  }
}
