/**
 * RACK: a segment is lost when one sent sufficiently later has arrived. In: segments delivered, in the order of
 * acknowledgement. Out: segments to mark lost, and how long to wait for the rest. Source: RFC 8985 §6.
 */
import type { Micros } from '../../base/protocol.ts';
import type { RoundTrip } from './round-trip.ts';
import type { Scoreboard, SentSegment } from './scoreboard.ts';

const DUPLICATE_THRESHOLD = 3;
/** Recoveries for which a window widened by duplicates persists (RFC 8985 §6.2 step 4). */
const PERSIST_RECOVERIES = 16;

export class Rack {
  /** True once a segment has been seen to arrive after one sent later. */
  hasSeenReordering = false;
  readonly #scoreboard: Scoreboard;
  readonly #roundTrip: RoundTrip;
  /** The most recently sent segment that has been delivered. */
  #sentOrder = -1;
  #rttUs: Micros = 0;
  #windowMultiplier = 1;
  #persist = 0;
  #duplicateRoundEnd = -1;

  constructor(scoreboard: Scoreboard, roundTrip: RoundTrip) {
    this.#scoreboard = scoreboard;
    this.#roundTrip = roundTrip;
  }

  /** Notes that a segment has been delivered (steps 1 to 3). */
  onDelivered(segment: SentSegment, highestBefore: number, nowUs: Micros): void {
    if (segment.end < highestBefore && segment.transmissions === 1) this.hasSeenReordering = true;
    const rttUs = nowUs - segment.sentAtUs;
    // Too soon for this retransmission: the original has arrived. As Linux, by time alone; the time stamp that comes back
    // with a selective acknowledgement is that of the last segment in order (RFC 7323 §4.3) and says nothing here.
    if (segment.transmissions > 1 && rttUs < this.#roundTrip.minUs) return;
    if (segment.sentOrder > this.#sentOrder) {
      this.#sentOrder = segment.sentOrder;
      this.#rttUs = rttUs;
    }
  }

  /** A duplicate was reported: something was retransmitted in vain. Widens the window once per round trip. */
  onDuplicateReported(una: number, sndNxt: number): void {
    this.hasSeenReordering = true;
    if (una < this.#duplicateRoundEnd) return;
    this.#duplicateRoundEnd = sndNxt;
    this.#windowMultiplier++;
    this.#persist = PERSIST_RECOVERIES;
  }

  onRecoveryEnd(): void {
    if (this.#persist > 0 && --this.#persist === 0) this.#windowMultiplier = 1;
  }

  /** How long to wait for reordered segments (step 4). */
  #reorderingWindowUs(isRecovering: boolean): Micros {
    const isCertain = isRecovering || this.#scoreboard.sackedCount >= DUPLICATE_THRESHOLD;
    if (!this.hasSeenReordering && isCertain) return 0;
    const minUs = Number.isFinite(this.#roundTrip.minUs) ? this.#roundTrip.minUs : 0;
    return Math.min((this.#windowMultiplier * minUs) / 4, this.#roundTrip.smoothedUs);
  }

  /**
   * Marks what is lost by now (step 5).
   * @returns How long until the last of the segments in doubt would be lost; 0 when there is none.
   */
  detectLoss(isRecovering: boolean, nowUs: Micros): Micros {
    const limitUs = this.#rttUs + this.#reorderingWindowUs(isRecovering);
    let waitUs = 0;
    let segment = this.#scoreboard.oldestSent;
    while (segment !== undefined && segment.sentOrder < this.#sentOrder) {
      const { next } = segment;
      const leftUs = segment.sentAtUs + limitUs - nowUs;
      if (leftUs <= 0) this.#scoreboard.markLost(segment);
      else waitUs = Math.max(waitUs, leftUs);
      segment = next;
    }
    return waitUs;
  }

  /** After a retransmission timeout: marks the first segment, and all whose time is over (§6.3). */
  onTimeout(nowUs: Micros): void {
    const first = this.#scoreboard.first;
    let segment = this.#scoreboard.oldestSent;
    while (segment !== undefined) {
      const { next } = segment;
      const isOver = segment === first || segment.sentAtUs + this.#rttUs - nowUs <= 0;
      if (isOver) this.#scoreboard.markLost(segment);
      segment = next;
    }
  }
}
