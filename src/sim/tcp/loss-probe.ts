/**
 * Tail loss probe: when nothing comes back for two round trips, one segment asks for news, long before the timeout.
 * In: probes sent, acknowledgements. Out: when to probe, and whether a probe has repaired a loss. Source: RFC 8985 §7.
 */
import type { Micros } from '../../base/protocol.ts';
import type { AckSummary } from './acknowledgement.ts';
import type { RoundTrip } from './round-trip.ts';

/** The longest a receiver delays an acknowledgement (Linux TCP_DELACK_MAX). */
const ACK_DELAY_MAX_US: Micros = 200_000;
/** Two ticks of a kernel clock at 1 kHz (Linux TCP_TIMEOUT_MIN). */
const MARGIN_US: Micros = 2_000;

export class LossProbe {
  #end = -1;
  #isRetransmission = false;

  /** After the last transmission: wait so long. `count` is the number of segments outstanding. */
  static timeoutUs(roundTrip: RoundTrip, count: number): Micros {
    if (!roundTrip.hasSample) return 1_000_000;
    return 2 * roundTrip.smoothedUs + (count === 1 ? ACK_DELAY_MAX_US : MARGIN_US);
  }

  get isOutstanding(): boolean {
    return this.#end >= 0;
  }

  /** A probe was sent; SND.NXT is now `sndNxt`. */
  begin(sndNxt: number, isRetransmission: boolean): void {
    this.#end = sndNxt;
    this.#isRetransmission = isRetransmission;
  }

  end(): void {
    this.#end = -1;
  }

  /** True when this acknowledgement shows that the last segment had been lost and that the probe repaired it. */
  hasRepairedLoss(ack: number, summary: AckSummary): boolean {
    if (this.#end < 0 || ack < this.#end) return false;
    const isDuplicate = !summary.isAdvanced && summary.delivered === 0;
    // An acknowledgement of exactly the probe may be the original's: only what comes after it decides.
    if (this.#isRetransmission && !isDuplicate && summary.duplicate === undefined && ack === this.#end)
      return false;
    const isRepair = this.#isRetransmission && summary.duplicate === undefined && ack > this.#end;
    this.#end = -1;
    return isRepair;
  }
}
