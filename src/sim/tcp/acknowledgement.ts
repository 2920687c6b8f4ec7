/**
 * Reads one acknowledgement into the scoreboard: what was delivered, what round trip that shows, whether it reports a
 * duplicate. In: a segment from the receiver. Out: an {@link AckSummary}, one object reused for every segment.
 * Source: RFC 2018, RFC 2883, RFC 6298 §3 (Karn), RFC 7323 §4.
 */
import type { Micros } from '../../base/protocol.ts';
import type { Rack } from './rack.ts';
import type { RoundTrip } from './round-trip.ts';
import type { Scoreboard, SentSegment } from './scoreboard.ts';
import type { SackBlock, TcpSegment } from './segment.ts';

/** What one acknowledgement changed. */
export interface AckSummary {
  /** SND.UNA moved. */
  isAdvanced: boolean;
  /** Segments that arrived and were not known to: by either kind of acknowledgement. */
  delivered: number;
  /** The round trip measured, or 0. */
  rttUs: Micros;
  /** The bytes that arrived twice, if it says so. */
  duplicate: SackBlock | undefined;
}

export class AckReader {
  readonly summary: AckSummary = { isAdvanced: false, delivered: 0, rttUs: 0, duplicate: undefined };
  readonly #scoreboard: Scoreboard;
  readonly #rack: Rack;
  readonly #roundTrip: RoundTrip;
  readonly #visitAcked: (segment: SentSegment) => void;
  readonly #visitSacked: (segment: SentSegment) => void;
  #nowUs: Micros = 0;
  #highestBefore = 0;
  #sackedRttUs: Micros = 0;

  constructor(scoreboard: Scoreboard, rack: Rack, roundTrip: RoundTrip) {
    this.#scoreboard = scoreboard;
    this.#rack = rack;
    this.#roundTrip = roundTrip;
    this.#visitAcked = (segment) => this.#onAcked(segment);
    this.#visitSacked = (segment) => this.#onSacked(segment);
  }

  /** Applies one acknowledgement. The result is valid until the next call. */
  read(segment: TcpSegment, nowUs: Micros): AckSummary {
    const { summary } = this;
    this.#nowUs = nowUs;
    this.#highestBefore = this.#scoreboard.highestDelivered;
    this.#sackedRttUs = 0;
    summary.delivered = 0;
    summary.rttUs = 0;
    summary.duplicate = duplicateOf(segment);
    summary.isAdvanced = segment.ack > this.#scoreboard.una;
    if (summary.isAdvanced) this.#scoreboard.acknowledge(segment.ack, this.#visitAcked);
    for (let i = summary.duplicate === undefined ? 0 : 1; i < segment.sack.length; i++) {
      this.#scoreboard.sack(segment.sack[i] as SackBlock, this.#visitSacked);
    }
    if (summary.rttUs === 0) summary.rttUs = this.#sackedRttUs;
    // Only retransmitted data: the time stamp still tells which transmission this answers (RFC 7323 §4.1).
    if (summary.rttUs === 0 && summary.isAdvanced) summary.rttUs = nowUs - segment.echoUs;
    if (summary.rttUs > 0) this.#roundTrip.sample(summary.rttUs);
    return summary;
  }

  #onAcked(segment: SentSegment): void {
    if (segment.isSacked) return;
    const { summary } = this;
    summary.delivered++;
    if (segment.transmissions === 1) {
      // The oldest, as Linux does: an acknowledgement that was delayed counts its delay.
      if (summary.rttUs === 0) summary.rttUs = this.#nowUs - segment.firstSentAtUs;
      this.#observeMinimum(segment);
    }
    this.#rack.onDelivered(segment, this.#highestBefore, this.#nowUs);
  }

  #onSacked(segment: SentSegment): void {
    this.summary.delivered++;
    if (segment.transmissions === 1) {
      if (this.#sackedRttUs === 0) this.#sackedRttUs = this.#nowUs - segment.firstSentAtUs;
      this.#observeMinimum(segment);
    }
    this.#rack.onDelivered(segment, this.#highestBefore, this.#nowUs);
  }

  #observeMinimum(segment: SentSegment): void {
    this.#roundTrip.minUs = Math.min(this.#roundTrip.minUs, this.#nowUs - segment.firstSentAtUs);
  }
}

/** The first block, when it reports a duplicate (RFC 2883 §4). */
function duplicateOf(segment: TcpSegment): SackBlock | undefined {
  const [first, second] = segment.sack;
  if (first === undefined) return undefined;
  if (first.end <= segment.ack) return first;
  const isInside = second !== undefined && first.start >= second.start && first.end <= second.end;
  return isInside ? first : undefined;
}
