/**
 * What probing may cost: a small part of what is sent, and nothing beyond what media can use. In: bytes sent, what media
 * ask for. Out: whether a train may leave. Source: DESIGN D9; docs/rate-control.md §4.4.
 */
import { type Micros, SECOND } from '../base/protocol.ts';

/** In the first seconds the path is unknown, and finding out is worth what it costs. */
const FREE_US: Micros = 10 * SECOND;
/** Afterwards, part of the bytes sent; more where loss makes what probes carry useful. */
const PART = 0.004;
const PART_LOSSY = 0.012;
const LOSSY = 0.01;
/** Unused, it is saved up to so many bytes: one train at 20 Mbit/s. */
const SAVED_MAX_BYTES = 100_000;
/** Media frames are paced at what is proven: proof is wanted for this much more than the largest asked for lately. */
const HEADROOM = 1.3;
const PEAK_US: Micros = 10 * SECOND;

export class ProbeBudget {
  #firstUs: Micros = -1;
  #savedBytes = 0;
  /** The highest demand in this period and in the one before it, bits per second. */
  #peakBps = 0;
  #peakBeforeBps = 0;
  #peakFromUs: Micros = 0;

  onSent(now: Micros, sizeBytes: number, lossRatio: number): void {
    if (this.#firstUs < 0) this.#firstUs = now;
    const earned = sizeBytes * (lossRatio > LOSSY ? PART_LOSSY : PART);
    this.#savedBytes = Math.min(SAVED_MAX_BYTES, this.#savedBytes + earned);
  }

  onDemand(bps: number, now: Micros): void {
    if (now - this.#peakFromUs >= PEAK_US) {
      this.#peakFromUs = now;
      this.#peakBeforeBps = this.#peakBps;
      this.#peakBps = 0;
    }
    if (bps > this.#peakBps) this.#peakBps = bps;
  }

  /** More capacity than this is of no use to media, bits per second; Infinity while nothing is known of media. */
  get usefulBps(): number {
    const peak = Math.max(this.#peakBps, this.#peakBeforeBps);
    return peak > 0 ? HEADROOM * peak : Number.POSITIVE_INFINITY;
  }

  /** Takes what a train costs, if there is enough. */
  take(costBytes: number, now: Micros): boolean {
    if (this.#firstUs < 0 || now - this.#firstUs < FREE_US) return true;
    if (this.#savedBytes < costBytes) return false;
    this.#savedBytes -= costBytes;
    return true;
  }
}
