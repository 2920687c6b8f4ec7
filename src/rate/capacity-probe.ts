/**
 * A short packet train at more than the target rate shows whether the path carries more. In: acked packets. Out: the
 * capacity seen. Source: docs/rate-control.md §4.4; packet pair dispersion with BBR's longer-of-two-spans rule.
 */
import { MILLISECOND, type Micros, SECOND } from '../base/protocol.ts';
import type { AckedPacket } from './controller.ts';

const PACKETS_MIN = 5;
const LENGTH_MIN_US: Micros = 60 * MILLISECOND;
const LENGTH_MAX_US: Micros = 120 * MILLISECOND;
/** A train of about so many packets of usual size, within the lengths above. */
const TRAIN_BITS = 8 * 9_600;
/** While the path is unknown, a train is shorter: what is too much for it must not stand in its queue for long. */
const FIRST_LENGTH_MIN_US: Micros = 15 * MILLISECOND;
/** Time after the last packet of the train for its feedback to come: a round trip and this. */
const FEEDBACK_US: Micros = 30 * MILLISECOND;
/** A slow train is cut into so many packets, however small: of 8, five arrive at 10 % loss but once in 200 trains. */
const TRAIN_PACKETS = 8;
/** A train that was sent by no more than half (keys not yet confirmed, a full window) has not been tried. */
const TRIED_PART = 0.5;
/** Between probes; grows by 1.6 with each that shows nothing. */
const INTERVAL_MIN_US: Micros = SECOND;
const INTERVAL_MAX_US: Micros = 4 * SECOND;
const BACK_OFF = 1.6;

/** One probe at a time. */
export class CapacityProbe {
  /** Rate during the train, as a multiple of the target. */
  gain = 1;
  /** Bytes of the train that are still to be sent. */
  bytesLeft = 0;
  /** Padding in a packet of the train, at the most. */
  packetBytes = 0;
  /** Of what the last train was to cost, what was not sent after all. */
  unspentBytes = 0;
  nextAtUs: Micros = 0;
  /** The last train that was judged spread out on the way: it met the limit of the path. */
  hasMetLimit = false;
  #intervalUs: Micros = INTERVAL_MIN_US;
  #startedAtUs: Micros = -1;
  #endsAtUs: Micros = -1;
  #trainBytes = 0;
  #costBytes = 0;
  #packets = 0;
  #bytes = 0;
  #firstBytes = 0;
  #firstSent: Micros = 0;
  #lastSent: Micros = 0;
  #firstReceived: Micros = 0;
  #lastReceived: Micros = 0;

  /** A train has been sent, or is being sent, and is not judged yet. */
  get isPending(): boolean {
    return this.#endsAtUs >= 0;
  }

  isSending(now: Micros): boolean {
    return now < this.#endsAtUs;
  }

  /** How long a train at this rate is, us. */
  static lengthUs(bps: number, isFirst: boolean): Micros {
    const least = isFirst ? FIRST_LENGTH_MIN_US : LENGTH_MIN_US;
    return Math.round(Math.max(least, Math.min(LENGTH_MAX_US, (TRAIN_BITS * 1e6) / bps)));
  }

  /** @param costBytes What it is expected to take beyond what is sent anyway. */
  start(gain: number, targetBps: number, lengthUs: Micros, costBytes: number, now: Micros): void {
    this.gain = gain;
    this.#startedAtUs = now;
    this.#endsAtUs = now + lengthUs;
    this.#trainBytes = Math.ceil((gain * targetBps * lengthUs) / 8e6);
    this.bytesLeft = this.#trainBytes;
    this.packetBytes = Math.ceil(this.#trainBytes / TRAIN_PACKETS);
    this.#costBytes = costBytes;
    this.unspentBytes = 0;
    this.#packets = 0;
    this.#bytes = 0;
  }

  onSent(sizeBytes: number, now: Micros): void {
    if (this.bytesLeft > 0 && this.isSending(now)) this.bytesLeft = Math.max(0, this.bytesLeft - sizeBytes);
  }

  onAcked(packet: AckedPacket): void {
    if (this.#endsAtUs < 0 || packet.sentAtUs < this.#startedAtUs || packet.sentAtUs > this.#endsAtUs) return;
    const receivedAtUs = packet.receivedAtUs;
    if (Number.isNaN(receivedAtUs)) return;
    if (this.#packets === 0) {
      this.#firstBytes = packet.sizeBytes;
      this.#firstSent = packet.sentAtUs;
      this.#lastSent = packet.sentAtUs;
      this.#firstReceived = receivedAtUs;
      this.#lastReceived = receivedAtUs;
    }
    this.#packets++;
    this.#bytes += packet.sizeBytes;
    this.#lastSent = Math.max(this.#lastSent, packet.sentAtUs);
    this.#lastReceived = Math.max(this.#lastReceived, receivedAtUs);
  }

  /** True when the train's feedback should be complete: ask `result`, then `accept` or `reject`. */
  isComplete(now: Micros, smoothedRttUs: Micros): boolean {
    return this.#endsAtUs >= 0 && now >= this.#endsAtUs + smoothedRttUs + FEEDBACK_US;
  }

  /**
   * Bits per second that the train has shown; NaN if too few of its packets arrived. A train that spread out on the
   * way has met the limit: 3 % less, to leave the queue it made.
   */
  result(): number {
    if (this.#packets < PACKETS_MIN) return Number.NaN;
    const bits = (this.#bytes - this.#firstBytes) * 8e6;
    const receivedBps = bits / Math.max(this.#lastReceived - this.#firstReceived, MILLISECOND);
    const sentBps = bits / Math.max(this.#lastSent - this.#firstSent, MILLISECOND);
    this.hasMetLimit = receivedBps < 0.92 * sentBps;
    return this.hasMetLimit ? 0.97 * receivedBps : Math.min(receivedBps, sentBps);
  }

  /** It found more: the next one follows after a round trip. */
  accept(now: Micros, smoothedRttUs: Micros): void {
    this.#end();
    this.#intervalUs = INTERVAL_MIN_US;
    this.nextAtUs = now + smoothedRttUs;
  }

  reject(now: Micros): void {
    const wasTried = this.bytesLeft <= TRIED_PART * this.#trainBytes;
    this.#end();
    if (wasTried) this.#intervalUs = Math.min(INTERVAL_MAX_US, this.#intervalUs * BACK_OFF);
    this.nextAtUs = now + this.#intervalUs;
  }

  /** Something else happens: no probe for a while. */
  postpone(now: Micros): void {
    this.#end();
    this.nextAtUs = Math.max(this.nextAtUs, now + SECOND + this.#intervalUs);
  }

  /** No probe before `atUs`. */
  notBefore(atUs: Micros): void {
    this.nextAtUs = Math.max(this.nextAtUs, atUs);
  }

  #end(): void {
    if (this.isPending) this.unspentBytes = Math.min(this.#costBytes, this.bytesLeft);
    this.#endsAtUs = -1;
    this.bytesLeft = 0;
  }
}
