/**
 * How far apart the narrowest link spaces full packets: what leaves behind a large media frame arrives as much later.
 * In: acknowledged packets with their times. Out: microseconds per full packet. Source: packet pairs (Keshav, 1991).
 */
import type { Micros } from '../base/protocol.ts';

/** What is needed of an acknowledged packet. */
interface Arrival {
  readonly packetNumber: number;
  readonly sizeBytes: number;
  readonly sentAtUs: Micros;
  readonly receivedAtUs: Micros;
}

/** Only packets of nearly full size tell. */
const FULL_BYTES = 1100;
/** Two packets that arrive this much further apart than they left were spaced by a link. */
const SPREAD_MIN = 1.1;
/** Further apart than this is another reason than the link. */
const SPACING_US_MAX: Micros = 10_000;
const GAIN = 1 / 16;

export class PacketSpacing {
  /** Microseconds per full packet; 0 while no link has been seen to space them. */
  us = 0;
  #number = -2;
  #sentAtUs: Micros = 0;
  #receivedAtUs: Micros = Number.NaN;

  onAcked(packet: Arrival): void {
    const sent = packet.sentAtUs - this.#sentAtUs;
    const received = packet.receivedAtUs - this.#receivedAtUs;
    const isNext = packet.packetNumber === this.#number + 1;
    this.#number = packet.packetNumber;
    this.#sentAtUs = packet.sentAtUs;
    this.#receivedAtUs = packet.receivedAtUs;
    // Not a number where a receive time is missing.
    if (!isNext || packet.sizeBytes < FULL_BYTES || !(received > 0 && received < SPACING_US_MAX)) return;
    if (received < sent * SPREAD_MIN) return;
    this.us = this.us === 0 ? received : this.us + (received - this.us) * GAIN;
  }
}
