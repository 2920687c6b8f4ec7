/**
 * The law while the path is followed: a standing queue shows its capacity, an empty one lets the estimate grow, faster
 * the longer nothing stands in its way. Source: docs/rate-control.md §4.2.
 */
import type { BaseDip } from './base-dip.ts';
import type { Estimate } from './estimate.ts';
import { Law } from './law.ts';
import { growthPerSecond, isNearCut, steer } from './queue-law.ts';
import type { Signals } from './signals.ts';

/** More than this part of what the path was known to carry has arrived without a queue: it carries more now. */
const BEYOND = 1.04;
/** Then growth begins at so much per second, is e times as much after so many seconds, and ends at so much. */
const BEYOND_GROWTH = 0.25;
const BEYOND_GROWS_SECONDS = 0.4;
const BEYOND_GROWTH_MAX = 1;
/** Near a limit that only loss shows, every step beyond it is loss: so much per second. */
const SHALLOW_GROWTH = 0.01;
/** A queue below this part of the one aimed at stands in nobody's way. */
const CLEAR_QUEUE = 0.4;

export class RunPhase {
  /** Growth beyond what was known, per second; 0 while not beyond. */
  #beyond = 0;

  reset(): void {
    this.#beyond = 0;
  }

  /**
   * @param randomLoss Loss that does not depend on the rate, 0..1.
   * @param isDisturbed An audit or a probe is under way: what is sent is not what the target says.
   */
  step(signals: Signals, estimate: Estimate, dip: BaseDip, randomLoss: number, isDisturbed: boolean): void {
    const { queueUs, aimUs, now, longBps, dt } = signals;
    // A path with random loss p that delivers R is filled by R / (1 - p).
    const sustained = longBps / (1 - randomLoss);
    const isDipping = dip.isActive(now);
    if (Number.isNaN(longBps) || isDipping) {
      // Nothing is known that could move the estimate.
    } else if (queueUs >= 0.5 * aimUs) {
      this.#beyond = 0;
      this.#followQueue(sustained, signals, estimate);
    } else if (estimate.capacityBps < 1.3 * sustained + 20_000) {
      const growth = this.#growth(sustained, signals, estimate, randomLoss, isDisturbed);
      estimate.capacityBps *= 1 + growth * dt;
    }
    estimate.believe(estimate.capacityBps);
    estimate.targetBps = isDipping
      ? dip.part * estimate.capacityBps
      : estimate.capacityBps * steer(queueUs, aimUs);
  }

  /** The queue has not been empty for 60 ms, so what arrives is what the path carries, unless we sent too little. */
  #followQueue(sustained: number, signals: Signals, estimate: Estimate): void {
    if (sustained < estimate.capacityBps && signals.isLimited) return;
    if (!signals.isLimited) estimate.knownBps = sustained;
    const part = Math.min(1, signals.dt / Law.CAPACITY_SECONDS);
    estimate.capacityBps += (sustained - estimate.capacityBps) * part;
  }

  #growth(
    sustained: number,
    signals: Signals,
    estimate: Estimate,
    randomLoss: number,
    isDisturbed: boolean,
  ): number {
    const { queueUs, aimUs, smoothedRttUs, now, dt } = signals;
    const isNear = isNearCut(estimate.capacityBps / estimate.cutBps, now - estimate.cutAtUs, smoothedRttUs);
    const { losses } = signals;
    const excess = losses.ratio - randomLoss;
    // Where no queue warns, growth near the limit is slow: every step beyond it is loss.
    const isShallow = estimate.isNearShallow(now);
    const isBulk = signals.isBulk && !isDisturbed && !isShallow;
    const growth = growthPerSecond(queueUs, aimUs, excess, isBulk, isNear, smoothedRttUs);
    if (isShallow) return Math.min(growth, SHALLOW_GROWTH);
    const isExplained = excess <= Law.UNEXPLAINED_LOSS + 2 * losses.deviation(randomLoss);
    const isClear = isExplained && queueUs < CLEAR_QUEUE * aimUs;
    return Math.max(growth, this.#growthBeyond(isClear && sustained > BEYOND * estimate.knownBps, dt));
  }

  #growthBeyond(isBeyond: boolean, dt: number): number {
    if (!isBeyond) {
      this.#beyond = 0;
      return 0;
    }
    if (this.#beyond === 0) this.#beyond = BEYOND_GROWTH;
    else this.#beyond = Math.min(BEYOND_GROWTH_MAX, this.#beyond * (1 + dt / BEYOND_GROWS_SECONDS));
    return this.#beyond;
  }
}
