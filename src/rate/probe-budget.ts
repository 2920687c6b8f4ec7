/**
 * What probing may cost: a small part of what is sent, and nothing beyond what media can use. In: bytes sent, what media
 * ask for. Out: whether a train may leave. Source: DESIGN D9; docs/rate-control.md §4.4.
 */
import { type Micros, SECOND } from '../base/protocol.ts';

/** In the first seconds the path is unknown, and finding out is worth so much: seconds of the rate begun with. */
const FIRST_US: Micros = 10 * SECOND;
const FIRST_SECONDS = 0.2;
const FIRST_MIN_BYTES = 8_000;
/** Afterwards, part of the bytes sent; more where loss makes what probes carry useful. */
const PART = 0.004;
const PART_LOSSY = 0.012;
const LOSSY = 0.01;
/** Unused, it is saved up to so many bytes: one train at 20 Mbit/s; what is left of the first seconds, less. */
const SAVED_MAX_BYTES = 100_000;
const LEFT_MAX_BYTES = 5_000;
/** Media frames are paced at what is proven: proof is wanted for this much more than the largest asked for lately. */
const HEADROOM = 1.3;
const PEAK_US: Micros = 10 * SECOND;

/** An application that would send more if it were proven, and cannot otherwise find out, gets a train this often. */
const WANTED_INTERVAL_US: Micros = 4 * SECOND;

export class ProbeBudget {
  /** A rate that the application would use at once if it were proven: a better rendition; 0 = none. */
  wantedBps = 0;
  #wantedAtUs: Micros = Number.NEGATIVE_INFINITY;
  #firstUs: Micros = -1;
  #savedBytes: number;
  #isFirst = true;
  /** The highest demand in this period and in the one before it, bits per second. */
  #peakBps = 0;
  #peakBeforeBps = 0;
  #peakFromUs: Micros = 0;

  /** @param startBps The rate begun with, bits per second. */
  constructor(startBps: number) {
    this.#savedBytes = FIRST_MIN_BYTES + (FIRST_SECONDS * startBps) / 8;
  }

  onSent(now: Micros, sizeBytes: number, lossRatio: number): void {
    if (this.#firstUs < 0) this.#firstUs = now;
    if (this.#isFirst && now - this.#firstUs > FIRST_US) {
      this.#isFirst = false;
      this.#savedBytes = Math.min(this.#savedBytes, LEFT_MAX_BYTES);
    }
    const earned = sizeBytes * (lossRatio > LOSSY ? PART_LOSSY : PART);
    if (this.#savedBytes < SAVED_MAX_BYTES) this.#savedBytes += earned;
  }

  /** A media frame that found no other waiting asks for this rate: what a backlog asks for says nothing of the encoder. */
  onDemand(bps: number, now: Micros): void {
    if (now - this.#peakFromUs >= PEAK_US) {
      this.#peakFromUs = now;
      this.#peakBeforeBps = this.#peakBps;
      this.#peakBps = 0;
    }
    if (bps > this.#peakBps) this.#peakBps = bps;
  }

  /**
   * More capacity than this is of no use to media, bits per second. Once a train has met the limit of the path, what media
   * ask for is enough: what there may be beyond it is not worth looking for again and again.
   */
  usefulBps(hasMetLimit: boolean): number {
    const headroom = hasMetLimit ? 1 : HEADROOM;
    return Math.max(headroom * Math.max(this.#peakBps, this.#peakBeforeBps), this.wantedBps);
  }

  /** What a train did not use. */
  giveBack(bytes: number): void {
    this.#savedBytes += bytes;
  }

  /** Takes what a train costs, if there is enough, or if it is worth it. */
  take(costBytes: number, now: Micros): boolean {
    if (this.#savedBytes < costBytes) {
      if (this.wantedBps === 0 || now - this.#wantedAtUs < WANTED_INTERVAL_US) return false;
      this.#wantedAtUs = now;
      return true;
    }
    this.#savedBytes -= costBytes;
    return true;
  }
}
