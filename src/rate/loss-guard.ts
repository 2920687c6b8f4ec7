/**
 * What no law may exceed while much is lost, whatever the reason. In: the loss of the last 2 s, what arrives. Out: a
 * lower estimate. Source: docs/rate-control.md §4.6; the switch: RFC 8083 §4.3 and §4.5.
 */
import { type Micros, SECOND } from '../base/protocol.ts';
import type { Estimate } from './estimate.ts';
import { Law } from './law.ts';
import type { Signals } from './signals.ts';

/** Packets behind a loss ratio that may stop the flow. */
const PACKETS_MIN = 50;
/** So many standard deviations above the limit are no chance. */
const STOP_DEVIATIONS = 3;
/** RFC 8083 §4.3: ten times what TCP would take over this path is too much; §4.5: then a tenth is sent. */
const BREAKER_FACTOR = 10;
const BREAKER_CUT = 0.1;
/** It must last so many round trips, and this long (RFC 8083 §4.3: three reports, ten round trips). */
const BREAKER_ROUND_TRIPS = 10;
const BREAKER_MIN_US: Micros = 3 * SECOND;
const SEGMENT_BITS = 8 * 1200;

export class LossGuard {
  readonly #hasBreaker: boolean;
  #stopAtUs: Micros = 0;
  /** Since when the breaker's condition holds; -1: it does not. */
  #excessFromUs: Micros = -1;
  /** The breaker has opened on this path: from then on its limit is not passed even for a moment. */
  #hasTripped = false;

  /** @param hasBreaker Obey RFC 8083's congestion circuit breaker. */
  constructor(hasBreaker: boolean) {
    this.#hasBreaker = hasBreaker;
  }

  /**
   * Lowers the estimate where it must be. Returns true when the flow was stopped: its losses are accounted for.
   *
   * @param randomLoss Loss that does not depend on the rate, 0..1.
   * @param isExcused Loss of more than 8 % is known not to come from the rate.
   */
  step(signals: Signals, estimate: Estimate, randomLoss: number, isExcused: boolean): boolean {
    const { losses, now } = signals;
    const loss = losses.ratio;
    if (loss > Law.LOSS_GUARD && !isExcused) {
      const guard = (Law.GUARD * signals.delivered.bps) / (1 - randomLoss);
      estimate.capacityBps = Math.min(estimate.capacityBps, guard);
      estimate.targetBps = Math.min(estimate.targetBps, guard);
    }
    const packets = losses.acked + losses.lost;
    const isTripped = this.#hasBreaker && packets >= PACKETS_MIN && this.#break(signals, estimate);
    // Few packets exceed it by chance, and it is asked a hundred times a second: at 30 % of independent loss two standard
    // deviations stop one start in ten in its first second, three none of sixty.
    const deviation = Math.sqrt((Law.LOSS_STOP * (1 - Law.LOSS_STOP)) / Math.max(1, packets));
    const limit = Law.LOSS_STOP + STOP_DEVIATIONS * deviation;
    if (loss <= limit) return isTripped;
    const stops = packets >= PACKETS_MIN && now - this.#stopAtUs > Law.LOSS_STOP_INTERVAL_US;
    if (stops) {
      this.#stopAtUs = now;
      estimate.capacityBps *= 0.9;
      const delivered = signals.shortBps;
      if (delivered < estimate.capacityBps) estimate.capacityBps = delivered;
    }
    estimate.targetBps = Math.min(estimate.targetBps, 0.9 * estimate.capacityBps);
    return stops || isTripped;
  }

  /** RFC 8083 §4.3: more than ten times the rate of a TCP flow with this loss and round trip, for long. True: it trips. */
  #break(signals: Signals, estimate: Estimate): boolean {
    const { losses, smoothedRttUs, now } = signals;
    const tcpBps = (SEGMENT_BITS * 1e6 * Math.sqrt(1.5)) / (smoothedRttUs * Math.sqrt(losses.ratio));
    const limitBps = BREAKER_FACTOR * tcpBps;
    if (this.#hasTripped) estimate.targetBps = Math.min(estimate.targetBps, limitBps);
    if (signals.sent.rate(now - SECOND, now) <= limitBps) {
      this.#excessFromUs = -1;
      return false;
    }
    if (this.#excessFromUs < 0) this.#excessFromUs = now;
    const lastsUs = Math.max(BREAKER_MIN_US, BREAKER_ROUND_TRIPS * smoothedRttUs);
    if (now - this.#excessFromUs < lastsUs) return false;
    this.#excessFromUs = -1;
    this.#hasTripped = true;
    estimate.capacityBps *= BREAKER_CUT;
    estimate.targetBps = estimate.capacityBps;
    return true;
  }
}
