/**
 * When a media frame of a timed track is played out: timestamp + offset + latency, where the offset follows the least
 * (earliest arrival - timestamp) of the last seconds with a limited slope, so that clock drift never makes output
 * jump. In: timestamps, send times. Out: instants, integer us. Source: docs/options.md (`delivery: 'timed'`).
 */
import { MILLISECOND, type Micros, NEVER, SECOND } from '../base/protocol.ts';
import { WindowedMin } from '../base/windowed-min.ts';

/** The offset follows the least of the last 10 to 20 seconds. */
const LEAST_BUCKET_US: Micros = 10 * SECOND;
/** Correction per elapsed time: 1 ms a second is seen and heard by nobody, and ten times what quartz drifts. */
const SLOPE = 0.001;
/** Timestamps that run this far ahead, or that far behind, are a new timeline: follow at once. */
const AHEAD_US: Micros = 500 * MILLISECOND;
const BEHIND_US: Micros = 2_000 * MILLISECOND;
/** After so many late media frames in a row the offset itself is wrong (the path got longer): start over. */
const LATE_RUN_MAX = 10;

/** See the file header. */
export class PlayoutClock {
  readonly #least: WindowedMin = new WindowedMin(LEAST_BUCKET_US, 2);
  #offset = NEVER;
  #steeredAtUs: Micros = 0;
  #lateRun = 0;

  get isSet(): boolean {
    return this.#offset !== NEVER;
  }

  /**
   * Learns from a media frame.
   *
   * @param earliestUs When it could have arrived at the earliest: its send time on the receiver's clock plus the least
   * one-way delay. The real arrival would let loss and resends in.
   */
  onFrame(timestampUs: number, earliestUs: Micros, now: Micros): void {
    const sample = earliestUs - timestampUs;
    const error = sample - this.#offset;
    if (!this.isSet || error < -AHEAD_US || error > BEHIND_US || this.#lateRun >= LATE_RUN_MAX) {
      this.#least.clear();
      this.#least.add(sample, now);
      this.#offset = sample;
      this.#steeredAtUs = now;
      this.#lateRun = 0;
      return;
    }
    this.#least.add(sample, now);
    const reach = (now - this.#steeredAtUs) * SLOPE;
    this.#offset += Math.max(-reach, Math.min(reach, this.#least.value - this.#offset));
    this.#steeredAtUs = now;
  }

  /** A media frame was played out, or skipped because it was late. */
  onPlayed(isLate: boolean): void {
    this.#lateRun = isLate ? this.#lateRun + 1 : 0;
  }

  /** When a media frame with this timestamp is due, given the latency. Only once `isSet`. */
  dueUs(timestampUs: number, latencyUs: Micros): Micros {
    return timestampUs + Math.round(this.#offset) + latencyUs;
  }
}
