/**
 * The probe timeout: when silence calls for a probe. RFC 9002 §6.2, with two departures for live media: it counts from
 * the last progress and not from the last packet sent (an outage shows while media keeps flowing into it), and its
 * back-off ends at one probe a second (an outage heals within one probe interval), and in a silence of hours, or on a path
 * whose answers take hours, at four thousandths of it.
 */
import { type Micros, NEVER, SECOND } from '../base/protocol.ts';

/**
 * Longest time between probes, unless one probe timeout is longer. One packet a second harms no network, and in a silence
 * of more than four minutes (for which idle timeouts must be raised) four thousandths of it go by between two: so much
 * later it is noticed that an outage has ended, and weeks take three thousand probes.
 */
export const PROBE_INTERVAL_MAX_US: Micros = SECOND;
const SILENCE_SHARE = 256;
/** 2^20 exceeds any cap; the bound keeps the shift exact. */
const DOUBLINGS_MAX = 20;

/** One per packet number space. */
export class ProbeTimer {
  /** Timeouts in a row without progress. */
  count = 0;
  /** The last progress, or when what waits for it was sent first. */
  sinceUs: Micros = NEVER;
  #anchorUs: Micros = NEVER;
  /** When what was answered last had been sent: `sinceUs` less the time that an answer takes. */
  #heardUs: Micros = NEVER;

  /** Something ack-eliciting is in flight where nothing was, or something has been acked. */
  restart(now: Micros): void {
    this.sinceUs = now;
    this.#anchorUs = now;
    this.#heardUs = now;
  }

  /** @param sentAtUs When the newest of what has been acked was sent. */
  onProgress(now: Micros, sentAtUs: Micros): void {
    this.count = 0;
    this.sinceUs = now;
    this.#anchorUs = now;
    this.#heardUs = sentAtUs;
  }

  onExpired(now: Micros): void {
    this.count++;
    this.#anchorUs = now;
  }

  /** @param timeoutUs Probe timeout without back-off. */
  deadline(timeoutUs: Micros): Micros {
    if (this.#anchorUs === NEVER) return NEVER;
    const backedOff = timeoutUs * (1 << Math.min(this.count, DOUBLINGS_MAX));
    const silenceUs = this.#anchorUs - this.#heardUs;
    const longestUs = Math.max(timeoutUs, PROBE_INTERVAL_MAX_US, Math.floor(silenceUs / SILENCE_SHARE));
    return this.#anchorUs + Math.min(backedOff, longestUs);
  }
}
