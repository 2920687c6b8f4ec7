/** What tracks may know of the path, live: read from recovery, never stored. */
import type { Micros } from '../base/protocol.ts';
import { TAG_BYTES } from '../crypto/protection.ts';
import type { LossRecovery } from '../recovery/loss-recovery.ts';
import type { RttEstimator } from '../recovery/rtt.ts';
import type { PathView as TrackPathView } from '../track/types.ts';
import { shortHeaderBytes } from '../wire/header.ts';

/** Header and tag of a short packet with Length and the longer packet number: what symbols are sized against. */
export const PACKET_OVERHEAD_BYTES: number = shortHeaderBytes(true, 4) + TAG_BYTES;

/** The rate at which packets leave now: the controller's. */
export interface Pace {
  readonly pacingRateBps: number;
}

export class PathView implements TrackPathView {
  readonly #rtt: RttEstimator;
  readonly #recovery: LossRecovery;
  readonly #pace: Pace;
  /** Largest datagram that may be sent now. */
  datagramBytes: number;
  /** Bytes of each datagram that something else takes (the client's repeated last flight). */
  reservedBytes = 0;

  constructor(rtt: RttEstimator, recovery: LossRecovery, pace: Pace, datagramBytes: number) {
    this.#rtt = rtt;
    this.#pace = pace;
    this.#recovery = recovery;
    this.datagramBytes = datagramBytes;
  }

  get smoothedRttUs(): Micros {
    return this.#rtt.smoothedUs;
  }

  get rttVarianceUs(): Micros {
    return this.#rtt.varianceUs;
  }

  get oneWayDelayUs(): Micros {
    return this.#rtt.smoothedUs / 2;
  }

  get lossRatio(): number {
    return this.#recovery.statistics.lossRatio;
  }

  get heardAtUs(): Micros {
    return this.#recovery.lastProgressUs;
  }

  get packetUs(): Micros {
    return (this.datagramBytes * 8e6) / this.#pace.pacingRateBps;
  }

  get maxPayloadBytes(): number {
    return this.datagramBytes - PACKET_OVERHEAD_BYTES - this.reservedBytes;
  }
}
