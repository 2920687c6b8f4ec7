/**
 * How long a packet may be overtaken before it counts as lost. Starts as RFC 9002 §6.1 (3 packets, 9/8 of the round
 * trip) and learns from packets that were declared lost and came all the same: each packet number is unique, so a
 * late ACK of a lost packet is proof. Source: docs/rate-control.md §3.2; RFC 8985 §6.2 (RACK reo_wnd).
 */
import type { Micros } from '../base/protocol.ts';
import { MILLISECOND } from '../base/protocol.ts';

/** kPacketThreshold of RFC 9002 §6.1.1. */
const PACKET_THRESHOLD = 3;
/** kGranularity of RFC 9002 §6.1.2. */
const GRANULARITY_US: Micros = MILLISECOND;
/** The learned window shrinks by a tenth every 16 loss episodes (RFC 8985 resets it after as many). */
const EPISODES_PER_DECAY = 16;
const DECAY = 0.9;

/** One per packet number space. */
export class ReorderingWindow {
  /** Learned: how much later than a round trip packets have come, us. 0 = no reordering seen. */
  windowUs: Micros = 0;
  readonly #isAdaptive: boolean;
  #episodes = 0;

  constructor(isAdaptive: boolean) {
    this.#isAdaptive = isAdaptive;
  }

  /** Packets that must be acked above one for it to be lost; Infinity once reordering has been seen. */
  get packetThreshold(): number {
    return this.windowUs > 0 ? Number.POSITIVE_INFINITY : PACKET_THRESHOLD;
  }

  /** Age at which a packet below the largest acked is lost. */
  lossDelayUs(latestRttUs: Micros, smoothedRttUs: Micros): Micros {
    const rtt = Math.max(latestRttUs, smoothedRttUs);
    return rtt + Math.max(rtt / 8, this.windowUs, GRANULARITY_US);
  }

  /** A packet that had been declared lost was acked `ageUs` after it left. */
  onLateAck(ageUs: Micros, smoothedRttUs: Micros): void {
    if (!this.#isAdaptive) return;
    const lateUs = Math.max(0, ageUs - smoothedRttUs) + MILLISECOND;
    this.windowUs = Math.min(Math.max(this.windowUs, lateUs), smoothedRttUs);
    this.#episodes = 0;
  }

  /** Losses of a new round trip begin: without further proof the window decays, and in the end is forgotten. */
  onLossEpisode(smoothedRttUs: Micros): void {
    if (this.windowUs === 0 || ++this.#episodes < EPISODES_PER_DECAY) return;
    this.#episodes = 0;
    this.windowUs *= DECAY;
    if (this.windowUs <= Math.max(smoothedRttUs / 8, GRANULARITY_US) / 2) this.windowUs = 0;
  }
}
