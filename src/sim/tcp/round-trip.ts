/**
 * Round-trip time and retransmission timeout of the TCP model. In: samples. Out: srtt, minimum, RTO.
 * Source: RFC 6298; the floor is Linux's: RTO = srtt + max(4 rttvar, 200 ms), where RFC 6298 §2.4 asks for 1 s.
 */
import type { Micros } from '../../base/protocol.ts';

const INITIAL_RTO_US: Micros = 1_000_000;
const VARIATION_FLOOR_US: Micros = 200_000;
const RTO_MAX_US: Micros = 120_000_000;

export class RoundTrip {
  smoothedUs: Micros = 0;
  variationUs: Micros = 0;
  minUs: Micros = Number.POSITIVE_INFINITY;
  latestUs: Micros = 0;
  #backoff = 1;

  get hasSample(): boolean {
    return this.latestUs > 0;
  }

  /** The retransmission timeout with its present back-off. */
  get timeoutUs(): Micros {
    const baseUs = this.hasSample
      ? this.smoothedUs + Math.max(4 * this.variationUs, VARIATION_FLOOR_US)
      : INITIAL_RTO_US;
    return Math.min(baseUs * this.#backoff, RTO_MAX_US);
  }

  /** One valid sample (Karn's rule is the caller's). Ends the back-off. */
  sample(rttUs: Micros): void {
    const rtt = Math.max(1, rttUs);
    if (this.hasSample) {
      this.variationUs += (Math.abs(this.smoothedUs - rtt) - this.variationUs) / 4;
      this.smoothedUs += (rtt - this.smoothedUs) / 8;
    } else {
      this.smoothedUs = rtt;
      this.variationUs = rtt / 2;
    }
    this.latestUs = rtt;
    this.#backoff = 1;
  }

  /** The timer has expired (RFC 6298 §5.5). */
  backOff(): void {
    this.#backoff *= 2;
  }
}
