/**
 * What loss recovery is made with and whom it tells. `PacketObserver` is the structural twin of `RateController`
 * (rate/controller.ts), so that the two folders do not import each other; the connection passes the one as the other.
 */
import type { Micros } from '../base/protocol.ts';
import type { Random } from '../base/random.ts';
import type { TokenOwner } from '../wire/frame-source.ts';
import type { RttEstimator } from './rtt.ts';

/** One newly acknowledged packet, reused: an `AckedPacket` of rate/controller.ts. */
export interface AckedSample {
  packetNumber: number;
  sizeBytes: number;
  sentAtUs: Micros;
  /** Peer's clock made continuous, or NaN. */
  receivedAtUs: Micros;
  ackedAtUs: Micros;
  isAppLimited: boolean;
}

/** One to be reused for every packet. */
export function createAckedSample(): AckedSample {
  return { packetNumber: 0, sizeBytes: 0, sentAtUs: 0, receivedAtUs: 0, ackedAtUs: 0, isAppLimited: false };
}

/** Hears of every packet in flight. See `RateController` for the meaning and order of the calls. */
export interface PacketObserver {
  onPacketSent(
    now: Micros,
    sizeBytes: number,
    bytesInFlight: number,
    isAppLimited: boolean,
    packetNumber: number,
  ): void;
  onPacketAcked(packet: AckedSample): void;
  onPacketLost(packetNumber: number, sizeBytes: number, sentAtUs: Micros, now: Micros): void;
  onSpuriousLoss(packetNumber: number, sizeBytes: number, now: Micros): void;
  onAckEnd(now: Micros, rtt: RttEstimator, bytesInFlight: number): void;
  onProbeTimeout(now: Micros, count: number): void;
}

/** For a packet number space without a controller (Initial). */
export const NO_OBSERVER: PacketObserver = {
  onPacketSent() {},
  onPacketAcked() {},
  onPacketLost() {},
  onSpuriousLoss() {},
  onAckEnd() {},
  onProbeTimeout() {},
};

/** What a space is made with. */
export interface LossRecoveryOptions {
  readonly rtt: RttEstimator;
  /** Owner of each {@link TokenKind}; every kind that is noted must have one. Shape [TOKEN_KINDS]. */
  readonly owners: readonly TokenOwner[];
  /** The rate controller. Default: none (Initial space). */
  readonly observer?: PacketObserver;
  /** Hears of sizes that arrive and vanish: the datagram size prober. */
  readonly sizeObserver?: SizeObserver;
  /** Learn from reordering; default true. False for the Initial space. */
  readonly isAdaptive?: boolean;
  /** Where skipped packet numbers are drawn from. Default: none is skipped. */
  readonly random?: Random;
}

/** Hears what size of packet got through. Size probes themselves report as tokens. */
export interface SizeObserver {
  onSizeAcked(sizeBytes: number, packetNumber: number): void;
  onSizeLost(sizeBytes: number, packetNumber: number, now: Micros): void;
  onProbeTimeout(now: Micros, count: number): void;
}
