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
const UP_MS = 2_500;
/** A new size costs a key frame. */
const DOWN_MS = 500;
/** Factors for width and height. */
const SCALES: readonly number[] = [1, 0.75, 0.5, 0.375];
/** Before the path is known: a first key frame that gets through almost any of them. */
const FIRST_STEP = 2;

/** Chooses the picture's size for a target: the whole, three quarters, a half, or three eighths of it. */
export class SizeLadder {
  readonly #pixels: number;
  #step: number = FIRST_STEP;
  /** Since when the target has asked for another size. */
  #sinceMs: number | undefined;

  constructor(width: number, height: number) {
    this.#pixels = width * height;
  }

  /** The factor for width and height, 0..1. */
  scale(nowMs: number, targetBps: number): number {
    const wanted = this.#wantedStep(targetBps);
    if (wanted === this.#step) {
      this.#sinceMs = undefined;
    } else {
      this.#sinceMs ??= nowMs;
      if (nowMs - this.#sinceMs >= (wanted > this.#step ? DOWN_MS : UP_MS)) {
        this.#step = wanted;
        this.#sinceMs = undefined;
      }
    }
    return SCALES[this.#step] as number;
  }

  #wantedStep(targetBps: number): number {
    const needs = (step: number): number => LEAST_BITS_PER_PIXEL * this.#pixels * (SCALES[step] ?? 1) ** 2;
    for (let step = 0; step < this.#step; step++) if (targetBps > UP_RATIO * needs(step)) return step;
    let step = this.#step;
    while (step + 1 < SCALES.length && targetBps < needs(step)) step++;
    return step;
  }
}

/** An encoder begins here, whatever it is told, and grows by this much a second until it has reached its target. */
const FIRST_BPS = 400_000;
const RAMP_RATIO = 1;

/** Lets the path be measured before it is filled. */
export class BitrateRamp {
  #limitBps: number = FIRST_BPS;
  #atMs: number | undefined;

  /** What to encode with, at most the target. */
  limit(nowMs: number, targetBps: number): number {
    const elapsedMs = this.#atMs === undefined ? 0 : nowMs - this.#atMs;
    this.#atMs = nowMs;
    // Once there, it stays out of the way: what falls later may rise at once.
    if (this.#limitBps < targetBps) this.#limitBps *= 1 + (RAMP_RATIO * Math.min(500, elapsedMs)) / 1_000;
    return Math.min(this.#limitBps, targetBps);
  }
}
