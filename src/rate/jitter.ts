/**
 * How far packets are delayed by what is no queue: radio schedulers, event loops that come late, ways that reorder. Such
 * a delay ends at once, and what it held arrives together; a queue of ours empties only as fast as the path carries. In:
 * send and receive times. Out: the height of such delays lately. Source: docs/rate-control.md §4.1.
 */
import { MILLISECOND, type Micros, SECOND } from '../base/protocol.ts';
import type { AckedPacket } from './controller.ts';

/** Packets of one delay that ends arrive within this part of the time that the path, or their sending, would take. */
const TOGETHER_PATH = 0.3;
const TOGETHER_SENT = 0.25;
/** What was seen is forgotten by half in this time. */
const HALF_LIFE_US: Micros = 2 * SECOND;
/** More is a silence, which is somebody else's business. */
const JITTER_MAX_US: Micros = 200 * MILLISECOND;

/** One path, one direction. A few sums per packet. */
export class JitterMeter {
  /** Height of delays that ended at once for all that had been held, us: the largest lately, fading. */
  heldUs: Micros = 0;
  /** By how much packets have overtaken others, us: likewise. Each is delayed for itself. */
  overtakenUs: Micros = 0;
  #sentAtUs: Micros = Number.NaN;
  #receivedAtUs: Micros = 0;
  /** By how much the delay has fallen in the run of packets that arrived together. */
  #fellUs: Micros = 0;

  /** The larger of the two. */
  get mostUs(): Micros {
    return Math.max(this.heldUs, this.overtakenUs);
  }

  /** @param capacityBps What the path is believed to carry. */
  onPacket({ sentAtUs, receivedAtUs, sizeBytes }: AckedPacket, capacityBps: number): void {
    if (Number.isNaN(receivedAtUs)) return;
    const sentGapUs = sentAtUs - this.#sentAtUs;
    const receivedGapUs = receivedAtUs - this.#receivedAtUs;
    if (sentGapUs < 0) {
      // Told late: others have overtaken it.
      this.#onOvertaken(receivedGapUs);
      return;
    }
    this.#sentAtUs = sentAtUs;
    this.#receivedAtUs = receivedAtUs;
    // False for the first packet.
    if (!(sentGapUs < SECOND)) return;
    if (receivedGapUs < 0) {
      this.#onOvertaken(-receivedGapUs);
      return;
    }
    const fellUs = sentGapUs - receivedGapUs;
    const serviceUs = (sizeBytes * 8e6) / capacityBps;
    const isTogether = receivedGapUs < TOGETHER_PATH * serviceUs && receivedGapUs < TOGETHER_SENT * sentGapUs;
    this.#fellUs = isTogether ? this.#fellUs + fellUs : 0;
    this.heldUs = Math.min(JITTER_MAX_US, Math.max(this.heldUs, this.#fellUs));
  }

  #onOvertaken(byUs: Micros): void {
    this.#fellUs = 0;
    this.overtakenUs = Math.max(this.overtakenUs, Math.min(byUs, JITTER_MAX_US));
  }

  /** Time passes. */
  fade(seconds: number): void {
    const part = Math.max(0, 1 - (seconds * 1e6 * Math.LN2) / HALF_LIFE_US);
    this.heldUs *= part;
    this.overtakenUs *= part;
  }

  reset(): void {
    this.heldUs = 0;
    this.overtakenUs = 0;
    this.#fellUs = 0;
    this.#sentAtUs = Number.NaN;
  }
}
