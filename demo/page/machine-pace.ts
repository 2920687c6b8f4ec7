/**
 * How many pictures a second this machine can make, encode, decode and draw for both sides. Fewer pictures for both alike
 * are better than queues in this page, which would look like the network's. In: whether the machine keeps up, a few times
 * a second. Out: pictures a second. Pure: no clock inside.
 */

/** Parts of the rate that was asked for. */
const STEPS: readonly number[] = [1, 2 / 3, 1 / 2, 1 / 3];
const LEAST_PICTURES_PER_SECOND = 10;
/** Bad reports less a part of the good ones: at this many the machine is too slow, one hiccup is not. */
const BAD_MAX = 3;
const GOOD_WEIGHT = 1 / 3;
/** A faster rate is tried after so long without a bad report; twice as long after each time that it was too much. */
const CALM_MS = 15_000;
const CALM_MS_MAX = 240_000;
/** A step up that lasts this long was no mistake. */
const PROVEN_MS = 20_000;

export class MachinePace {
  readonly #fullRate: number;
  #step = 0;
  #bad = 0;
  #calmMs: number = CALM_MS;
  /** Since when all has been well. */
  #calmSinceMs: number | undefined;
  #raisedAtMs = Number.NEGATIVE_INFINITY;

  /** @param fullRate Pictures a second that were asked for. */
  constructor(fullRate: number) {
    this.#fullRate = fullRate;
  }

  get picturesPerSecond(): number {
    return this.#rateAt(this.#step);
  }

  #rateAt(step: number): number {
    return this.#fullRate * (STEPS[step] ?? 1);
  }

  /** Call it about four times a second. */
  report(nowMs: number, keepsUp: boolean): void {
    if (keepsUp) {
      this.#bad = Math.max(0, this.#bad - GOOD_WEIGHT);
      this.#calmSinceMs ??= nowMs;
      if (this.#step > 0 && nowMs - this.#calmSinceMs >= this.#calmMs) this.#raise(nowMs);
      return;
    }
    this.#calmSinceMs = undefined;
    this.#bad++;
    if (this.#bad < BAD_MAX) return;
    this.#bad = 0;
    this.#lower(nowMs);
  }

  #raise(nowMs: number): void {
    this.#step--;
    this.#bad = 0;
    this.#calmSinceMs = nowMs;
    this.#raisedAtMs = nowMs;
  }

  #lower(nowMs: number): void {
    const isTooSoon = nowMs - this.#raisedAtMs < PROVEN_MS;
    this.#calmMs = isTooSoon ? Math.min(CALM_MS_MAX, 2 * this.#calmMs) : CALM_MS;
    const next = this.#step + 1;
    if (next < STEPS.length && this.#rateAt(next) >= LEAST_PICTURES_PER_SECOND) this.#step = next;
  }
}
