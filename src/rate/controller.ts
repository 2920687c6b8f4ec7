/**
 * What a rate controller is told and what it decides. In: packets sent, acked, lost, and what media wants. Out: pacing
 * rate, congestion window, target rate, probing. Source: congestion control interface of RFC 9002 §7 and
 * draft-ietf-ccwg-bbr (delivery-rate samples), with receive times as in RFC 8888.
 *
 * All rates are wire rates: bits per second of whole datagrams' UDP payloads, media, resends, repair, headers.
 */
import type { Micros } from '../base/protocol.ts';

/** One newly acknowledged packet. The object is reused: copy what must outlive the call. */
export interface AckedPacket {
  readonly packetNumber: number;
  readonly sizeBytes: number;
  /** When it left, our clock. */
  readonly sentAtUs: Micros;
  /** When it arrived, the peer's clock (arbitrary origin, continuous), or NaN if the peer did not say. */
  readonly receivedAtUs: Micros;
  /** When the ACK arrived here, our clock. */
  readonly ackedAtUs: Micros;
  /** Sent while there was not enough to send: its sample may raise an estimate, never lower it. */
  readonly isAppLimited: boolean;
}

/** The live round-trip estimate (recovery/rtt.ts is one). */
export interface RttView {
  readonly hasSample: boolean;
  readonly latestUs: Micros;
  readonly smoothedUs: Micros;
  readonly varianceUs: Micros;
  readonly minUs: Micros;
  /** The least of the last minute. */
  readonly recentMinUs: Micros;
}

/** One congestion controller of one path. Call order per ACK: acked..., lost..., `onAckEnd`. */
export interface RateController {
  /** Every packet that counts as in flight. `bytesInFlight` includes it. */
  onPacketSent(
    now: Micros,
    sizeBytes: number,
    bytesInFlight: number,
    isAppLimited: boolean,
    packetNumber: number,
  ): void;
  /** Once per newly acked packet, in ascending packet number order within one ACK. */
  onPacketAcked(packet: AckedPacket): void;
  /** Once per packet declared lost, ascending. */
  onPacketLost(packetNumber: number, sizeBytes: number, sentAtUs: Micros, now: Micros): void;
  /** A packet that was declared lost has been acked after all. No `onPacketAcked` follows for it. */
  onSpuriousLoss(packetNumber: number, sizeBytes: number, now: Micros): void;
  /** After everything one ACK (or one loss timer) told. */
  onAckEnd(now: Micros, rtt: RttView, bytesInFlight: number): void;
  /**
   * The path was silent so long that a probe timeout fired; `count` in a row. Losses of an outage say nothing about
   * capacity: a controller forgives them and starts again carefully.
   */
  onProbeTimeout(now: Micros, count: number): void;

  /**
   * What media frames in the queue ask for (DESIGN D9): the rate that empties them in time, bits per second, 0 when none
   * waits. It raises `pacingRateBps` up to proven capacity, and sets how far probing has to go, unless it is that of a
   * backlog: media that waits proves by itself what the path carries, and says nothing about the encoder.
   */
  onMediaDemand(bps: number, now: Micros, isBacklog?: boolean): void;
  /** No rate above this is wanted, probed for, or paced (encoder maximum, peak demand). */
  setMaxRate(bps: number): void;
  /** The application would send this much at once if it were proven (a better rendition waits); 0 = nothing is wanted. */
  setWantedRate(bps: number): void;
  /** Forgets the path's base delay, rate and loss: the connection has moved to another path. */
  onPathChange(now: Micros): void;

  /** Bits per second at which the pacer releases bytes. */
  readonly pacingRateBps: number;
  /** Bytes that may be in flight. */
  readonly congestionWindowBytes: number;
  /** Bits per second on the wire that all senders together may average. Encoder targets derive from it. */
  readonly targetRateBps: number;
  /** Bits per second the path has been shown to carry. */
  readonly capacityBps: number;
  /** Loss that does not depend on the rate: random loss, 0..1. */
  readonly randomLossRatio: number;
  /** All loss over the last 2 s, 0..1. */
  readonly lossRatio: number;
  /** Standing queue on the way to the peer, us. */
  readonly queueDelayUs: Micros;
  /** Loss told now is an overflowing queue's: it calls for a lower rate, not for redundancy. */
  readonly isCongested: boolean;
  /**
   * Bytes the controller wants on the wire beyond what is queued, to prove capacity; 0 mostly. The sender fills them
   * with repair, resends or padding, counted as `probe`, as the pacer lets it. Sent bytes reduce it.
   */
  readonly probeBytesWanted: number;
  /** Padding in one packet of such a train, at the most: a slow one is many small packets, not two large ones. */
  readonly probePacketBytes: number;
  /** For statistics and qlog, e.g. `start`, `run`, `drain`, `audit`. */
  readonly state: string;
}

/** What a controller is made with. */
export interface RateOptions {
  /** Where the rate begins, bits per second; default 500 kbit/s. The first target is 1.3 times as much. */
  readonly startBitrateBps?: number;
  /** Never below, bits per second; default 50 kbit/s. */
  readonly minRateBps?: number;
  /** Never above, bits per second; default 10 Gbit/s. */
  readonly maxRateBps?: number;
  /**
   * `aggressive` (default): loss proven to be random lowers the rate by nothing. `rfc8083`: the congestion circuit
   * breaker of RFC 8083 §4.3 is obeyed, whatever the reason of the loss: above ten times what TCP would take with it
   * for ten round trips (at least 3 s), the rate falls to a tenth, and never passes that limit again.
   */
  readonly lossTolerance?: 'aggressive' | 'rfc8083';
}
