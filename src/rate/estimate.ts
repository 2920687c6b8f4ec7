/**
 * What is believed of the path and asked of senders. Every phase of the media controller works on one of these.
 * Source: docs/rate-control.md §4.
 */
import { type Micros, SECOND } from '../base/protocol.ts';
import type { RateOptions } from './controller.ts';

/** A limit that only loss has shown is remembered so long, and met again this far above it. */
const SHALLOW_MEMORY_US: Micros = 30 * SECOND;
const SHALLOW_EXCESS = 1.02;
/** The same limit carries at least this part of what it carried. */
const SHALLOW_SAME = 0.97;

/** Bits per second throughout. */
export class Estimate {
  capacityBps: number;
  targetBps: number;
  /** Nobody has a use for more. */
  wantedBps: number = Number.POSITIVE_INFINITY;
  /** What arrived while a queue stood: the path's capacity when it was last seen; 0 before. */
  knownBps = 0;
  /** Capacity where a limit was met last (0 before the first), when, and whether by loss alone. */
  cutBps = 0;
  cutAtUs: Micros = -10 * SECOND;
  isShallow = false;
  readonly #minBps: number;
  readonly #maxBps: number;

  constructor(options: RateOptions) {
    this.#minBps = options.minRateBps ?? 50_000;
    this.#maxBps = options.maxRateBps ?? 1e10;
    this.targetBps = this.clamp(1.3 * (options.startBitrateBps ?? 500_000));
    this.capacityBps = this.targetBps;
  }

  /** More than this need not be found. */
  get limitBps(): number {
    return Math.min(this.#maxBps, this.wantedBps);
  }

  clamp(bps: number): number {
    return Math.max(this.#minBps, Math.min(bps, this.limitBps));
  }

  /** Sets the capacity, within bounds. */
  believe(bps: number): void {
    this.capacityBps = this.clamp(bps);
  }

  /** The capacity now is where a limit was met, by a queue or (shallow) by loss alone. */
  noteCut(isShallow: boolean, now: Micros): void {
    this.isShallow = isShallow;
    this.cutBps = this.capacityBps;
    this.knownBps = this.capacityBps;
    this.cutAtUs = now;
  }

  /** True near a limit that loss alone has shown: there is no queue that would warn. */
  isNearShallow(now: Micros): boolean {
    const isRecent = now - this.cutAtUs < SHALLOW_MEMORY_US;
    return this.isShallow && isRecent && this.capacityBps > 0.9 * this.cutBps;
  }

  /**
   * True when unexplained loss is that limit again: a little above it, and carrying as much as then. Otherwise random
   * loss that sets in would cut again and again.
   */
  isAtShallowLimit(deliveredBps: number, now: Micros): boolean {
    const isAbove = this.capacityBps > SHALLOW_EXCESS * this.cutBps;
    return this.isNearShallow(now) && isAbove && deliveredBps > SHALLOW_SAME * this.cutBps;
  }

  /** Loss near the limit has been shown to be random: it was no limit. */
  forgetShallow(): void {
    this.isShallow = false;
  }

  clampAll(): void {
    this.targetBps = this.clamp(this.targetBps);
    this.capacityBps = this.clamp(this.capacityBps);
  }

  /** Another path: where limits were means nothing any more. */
  forgetLimits(): void {
    this.cutBps = 0;
    this.knownBps = 0;
    this.isShallow = false;
  }
}
