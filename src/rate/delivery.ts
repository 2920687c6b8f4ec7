/**
 * How fast packets arrive at the peer: bytes delivered between two checkpoints, over the longer of the time it took to
 * send and to receive them. The send span keeps compressed ACKs and batched reads from looking like capacity, the
 * receive span keeps a burst of ours from it. Source: draft-cheng-iccrg-delivery-rate-estimation §3; windows of
 * docs/rate-control.md §4.1.
 */
import { MILLISECOND, type Micros, SECOND } from '../base/protocol.ts';
import type { AckedPacket } from './controller.ts';

/** Checkpoints kept: 512, at least 2 ms apart, so at least one second. */
const CHECKPOINTS = 512;
/** What the memory begins with: an idle connection needs no more. */
const CHECKPOINTS_AT_START = 16;
const SPACING_US: Micros = 2 * MILLISECOND;
/** A shorter span says more about timers than about the path. */
const SPAN_MIN_US: Micros = 20 * MILLISECOND;
/** A longer one spans a silence: slower than the least rate there is, it says what was sent, not what fits. */
const SPAN_MAX_US: Micros = 2 * SECOND;
/**
 * Nothing on a path comes so much later than what left after it: who sees times go back by more has slept, and its clock with
 * it, while the peer's went on (the 32 bits of receive times then mean another instant).
 */
const CLOCK_BACK_US: Micros = 10 * SECOND;
/** Fewer packets than this are no rate. */
const PACKETS_MIN = 5;

/** One path. A checkpoint a feedback, nothing per packet but sums. */
export class DeliveryRate {
  #sentAt: Float64Array = new Float64Array(CHECKPOINTS_AT_START);
  #receivedAt: Float64Array = new Float64Array(CHECKPOINTS_AT_START);
  #bytes: Float64Array = new Float64Array(CHECKPOINTS_AT_START);
  #packets: Float64Array = new Float64Array(CHECKPOINTS_AT_START);
  #limitedBytes: Float64Array = new Float64Array(CHECKPOINTS_AT_START);
  #mask = CHECKPOINTS_AT_START - 1;
  #count = 0;
  // Running state: what the next checkpoint will hold.
  #lastSent: Micros = Number.NaN;
  #lastReceived: Micros = Number.NaN;
  #deliveredBytes = 0;
  #deliveredPackets = 0;
  #deliveredLimited = 0;
  #hasTimes = false;
  /** Of the last `over`: more than a tenth of it was sent while there was too little to send. */
  isAppLimited = false;
  /** Of the last `over`: the time in which it arrived, as a multiple of that in which it was sent. */
  stretch = 1;

  /** One acked packet. Without a receive time it counts as received when the next one that has a time was. */
  onPacket(packet: AckedPacket): void {
    const { sizeBytes, sentAtUs, receivedAtUs } = packet;
    this.#deliveredBytes += sizeBytes;
    this.#deliveredPackets++;
    if (packet.isAppLimited) this.#deliveredLimited += sizeBytes;
    if (!(sentAtUs <= this.#lastSent)) this.#lastSent = sentAtUs;
    if (!Number.isNaN(receivedAtUs)) {
      // Two clocks must not mix in one span.
      if (!this.#hasTimes || receivedAtUs < this.#lastReceived - CLOCK_BACK_US) this.clear();
      this.#hasTimes = true;
      if (!(receivedAtUs <= this.#lastReceived)) this.#lastReceived = receivedAtUs;
    } else if (!this.#hasTimes) {
      this.#lastReceived = packet.ackedAtUs;
    }
  }

  /** After each ACK. */
  checkpoint(): void {
    if (Number.isNaN(this.#lastReceived)) return;
    const previous = (this.#count - 2) & this.#mask;
    const isNear =
      this.#count >= 2 && this.#lastReceived - (this.#receivedAt[previous] as number) < SPACING_US;
    if (!isNear) this.#count++;
    if (this.#count > this.#mask + 1 && this.#mask + 1 < CHECKPOINTS) this.#grow();
    const at = (this.#count - 1) & this.#mask;
    this.#sentAt[at] = this.#lastSent;
    this.#receivedAt[at] = this.#lastReceived;
    this.#bytes[at] = this.#deliveredBytes;
    this.#packets[at] = this.#deliveredPackets;
    this.#limitedBytes[at] = this.#deliveredLimited;
  }

  /** Twice as many checkpoints. Everything stays where it is: none has been overwritten so far. */
  #grow(): void {
    const size = 2 * (this.#mask + 1);
    this.#sentAt = grown(this.#sentAt, size);
    this.#receivedAt = grown(this.#receivedAt, size);
    this.#bytes = grown(this.#bytes, size);
    this.#packets = grown(this.#packets, size);
    this.#limitedBytes = grown(this.#limitedBytes, size);
    this.#mask = size - 1;
  }

  /**
   * Bits per second over the last `windowUs` of arrivals, a little more if they are few; NaN if too little is known.
   * Sets `isAppLimited` and `stretch`. Cost: the checkpoints in the window.
   *
   * @param isBusy The path was never idle in between (a queue stood): then what arrived counts over the time it took to
   * arrive, however slowly it was sent.
   */
  over(windowUs: Micros, isBusy = false): number {
    if (this.#count < 2) return Number.NaN;
    const newest = (this.#count - 1) & this.#mask;
    const received = this.#receivedAt[newest] as number;
    const packets = this.#packets[newest] as number;
    const oldest = Math.max(0, this.#count - CHECKPOINTS);
    for (let i = this.#count - 2; i >= oldest; i--) {
      const at = i & this.#mask;
      const receiveSpan = received - (this.#receivedAt[at] as number);
      const isEnough = receiveSpan >= SPAN_MIN_US && packets - (this.#packets[at] as number) >= PACKETS_MIN;
      const isLast = i === oldest;
      if (!isEnough || (receiveSpan < windowUs && !isLast)) continue;
      const sendSpan = (this.#sentAt[newest] as number) - (this.#sentAt[at] as number);
      const span = isBusy ? receiveSpan : Math.max(receiveSpan, sendSpan);
      if (span > SPAN_MAX_US) return Number.NaN;
      const bytes = (this.#bytes[newest] as number) - (this.#bytes[at] as number);
      const limited = (this.#limitedBytes[newest] as number) - (this.#limitedBytes[at] as number);
      this.isAppLimited = limited > bytes / 10;
      this.stretch = receiveSpan / Math.max(1, sendSpan);
      return (bytes * 8e6) / span;
    }
    return Number.NaN;
  }

  /** Forgets the checkpoints: another path, or an outage that would count as slow delivery. */
  clear(): void {
    this.#count = 0;
    this.#lastReceived = Number.NaN;
    this.#hasTimes = false;
  }
}

function grown(old: Float64Array, size: number): Float64Array {
  const copy = new Float64Array(size);
  copy.set(old);
  return copy;
}
