/**
 * What has arrived in one packet number space, and when to say so. In: packet numbers with their arrival time, ends of
 * media frames, acknowledgements of our ACKs. Out: duplicates, ACK frames with receive times. Source: RFC 9000 §13.2,
 * docs/wire-format.md §3.1.
 */

import type { Writer } from '../base/bytes.ts';
import { MILLISECOND, type Micros, NEVER } from '../base/protocol.ts';
import { Ranges } from '../base/ranges.ts';
import { ACK_RANGES_MAX, ACK_TIMES_MAX, writeAck } from '../wire/ack.ts';
import { type PacketRecord, TokenKind, type TokenOwner } from '../wire/frame-source.ts';

/** Numbers below the largest for which a duplicate is told from a late packet; what is older counts as a duplicate. */
export const DUPLICATE_WINDOW: number = 2 ** 16;
/** Arrival times remembered. */
const TIMES_KEPT = 256;
/** What both begin with: numbers begin at 0, so the memory of an idle connection may begin small, and grow with them. */
const SEEN_AT_START = 1024;
const TIMES_AT_START = 32;
/** Feedback leaves at the latest after so many ack-eliciting packets. */
const PACKETS_PER_ACK = 16;
/** Likewise while the path loses more than this share of what this end sends: feedback that gets lost stalls the peer. */
const PACKETS_PER_ACK_LOSSY = 4;
const FEEDBACK_LOSS_HIGH = 0.1;
/** Ends of media frames ask for feedback at most this often. */
const FRAME_END_INTERVAL_US: Micros = 5 * MILLISECOND;
/** max_ack_delay of docs/wire-format.md §3.2. */
export const MAX_ACK_DELAY_US: Micros = 25 * MILLISECOND;
/** ACKs in a row of which none has been acknowledged, after which the end asks for one with a PING. */
const UNPRUNED_ACKS_MAX = 64;

/** One packet number space, receiving side. Owner of {@link TokenKind.ACK} tokens. */
export class ReceivedPackets implements TokenOwner {
  /** Highest packet number received, refused ones included; -1 before the first. */
  largest = -1;
  /** Packets refused as duplicates or too old. */
  duplicates = 0;
  readonly #ackDelayUs: Micros;
  readonly #ranges: Ranges = new Ranges();
  /** One bit per number of the duplicate window, at number mod bits: all of them, or more than have come so far. */
  #seen: Uint32Array = new Uint32Array(SEEN_AT_START / 32);
  #seenBits = SEEN_AT_START;
  /** At number mod length: as many as are kept, or more than have come so far. */
  #times: Float64Array = new Float64Array(TIMES_AT_START);
  /** When the highest number arrived that the next ACK acknowledges. */
  #largestAtUs: Micros = 0;
  /** Ack-eliciting packets since the last ACK. */
  #eliciting = 0;
  /** Lowest number that arrived since the last ACK, or Infinity. */
  #newLowest: number = Number.POSITIVE_INFINITY;
  #dueAtUs: Micros = NEVER;
  #frameEndAllowedUs: Micros = 0;
  #unprunedAcks = 0;
  #packetsPerAck = PACKETS_PER_ACK;
  readonly #timeOf: (packetNumber: number) => Micros = (packetNumber) =>
    this.#times[packetNumber % this.#times.length] as number;

  /** @param ackDelayUs How long feedback may wait: 25 ms, or 0 in the Initial space (at once, and no times). */
  constructor(ackDelayUs: Micros = MAX_ACK_DELAY_US) {
    this.#ackDelayUs = ackDelayUs;
  }

  /** True when `packetNumber` has been received, or is too old to tell. */
  has(packetNumber: number): boolean {
    if (packetNumber > this.largest) return false;
    if (packetNumber <= this.largest - DUPLICATE_WINDOW) return true;
    const bit = packetNumber % this.#seenBits;
    return ((this.#seen[bit >>> 5] as number) & (1 << (bit & 31))) !== 0;
  }

  /**
   * An authentic packet has arrived. Call once per packet, before its frames are handled.
   *
   * @returns False for a duplicate: its frames are to be ignored.
   */
  onPacket(packetNumber: number, isAckEliciting: boolean, now: Micros): boolean {
    if (this.has(packetNumber)) {
      this.duplicates++;
      return false;
    }
    const expected = this.largest + 1;
    this.markSeen(packetNumber);
    this.#ranges.add(packetNumber, packetNumber + 1);
    this.#ranges.keepHighest(ACK_RANGES_MAX);
    if (this.#ranges.end(this.#ranges.count - 1) === packetNumber + 1) this.#largestAtUs = now;
    if (packetNumber > this.largest - TIMES_KEPT) this.#times[packetNumber % this.#times.length] = now;
    this.#newLowest = Math.min(this.#newLowest, packetNumber);
    // RFC 9000 §13.2.1: two ends must not acknowledge each other's ACKs, so only ack-eliciting packets make one due.
    if (isAckEliciting) this.#onEliciting(packetNumber === expected, now);
    return true;
  }

  /**
   * From here on `packetNumber` is a duplicate. That alone acknowledges nothing: for what was read and then refused, the
   * peer is to send it again, under another number.
   */
  markSeen(packetNumber: number): void {
    if (packetNumber > this.largest) {
      this.#makeRoom(packetNumber);
      this.#clearSeen(this.largest + 1, packetNumber);
      this.largest = packetNumber;
    }
    const bit = packetNumber % this.#seenBits;
    this.#seen[bit >>> 5] = (this.#seen[bit >>> 5] as number) | (1 << (bit & 31));
  }

  #onEliciting(isNext: boolean, now: Micros): void {
    this.#eliciting++;
    if (!isNext || this.#eliciting >= this.#packetsPerAck) this.#dueAtUs = now;
    else this.#dueAtUs = Math.min(this.#dueAtUs, now + this.#ackDelayUs);
  }

  /** How much of what this end sends is lost lately, 0..1. */
  onFeedbackLoss(lossRatio: number): void {
    this.#packetsPerAck = lossRatio > FEEDBACK_LOSS_HIGH ? PACKETS_PER_ACK_LOSSY : PACKETS_PER_ACK;
  }

  /** Grows what is not yet as large as it may become. Everything stays where it is: no number has wrapped so far. */
  #makeRoom(packetNumber: number): void {
    while (packetNumber >= this.#seenBits && this.#seenBits < DUPLICATE_WINDOW) {
      this.#seenBits *= 2;
      const seen = new Uint32Array(this.#seenBits / 32);
      seen.set(this.#seen);
      this.#seen = seen;
    }
    while (packetNumber >= this.#times.length && this.#times.length < TIMES_KEPT) {
      const times = new Float64Array(2 * this.#times.length);
      times.set(this.#times);
      this.#times = times;
    }
  }

  /** Frees the bits of the numbers from `from` up to and including `to`, which the window moves on to. */
  #clearSeen(from: number, to: number): void {
    if (to - from >= DUPLICATE_WINDOW) {
      this.#seen.fill(0);
      return;
    }
    for (let n = from; n <= to; ) {
      const bit = n % this.#seenBits;
      if ((bit & 31) === 0 && to - n >= 31) {
        this.#seen[bit >>> 5] = 0;
        n += 32;
      } else {
        this.#seen[bit >>> 5] = (this.#seen[bit >>> 5] as number) & ~(1 << (bit & 31));
        n++;
      }
    }
  }

  /** The last packet of a media frame has been handled: its sender wants to know soon. At most every 5 ms. */
  onFrameEnd(now: Micros): void {
    if (this.#eliciting === 0) return;
    const dueAt = Math.max(now, this.#frameEndAllowedUs);
    if (dueAt >= this.#dueAtUs) return;
    this.#dueAtUs = dueAt;
    this.#frameEndAllowedUs = dueAt + FRAME_END_INTERVAL_US;
  }

  /** When an ACK has to leave; NEVER if nothing ack-eliciting waits for one. */
  ackDueAt(): Micros {
    return this.#dueAtUs;
  }

  /** True when an ACK would tell something new: it may ride along in a packet that leaves anyway. */
  get hasNews(): boolean {
    return this.#newLowest !== Number.POSITIVE_INFINITY;
  }

  /** True when many ACKs in a row have not been acknowledged: a PING beside the next one lets ranges be pruned. */
  get wantsAckOfAck(): boolean {
    return this.#unprunedAcks >= UNPRUNED_ACKS_MAX;
  }

  /** Writes an ACK and notes its token. False if there is nothing to acknowledge or no room. */
  writeAck(writer: Writer, record: PacketRecord, now: Micros): boolean {
    const delayUs = Math.max(0, now - this.#largestAtUs);
    if (!writeAck(writer, this.#ranges, delayUs, this.#timeCount(), this.#timeOf)) return false;
    record.note(TokenKind.ACK, this.#ranges.end(this.#ranges.count - 1) - 1, 0, 0);
    this.#eliciting = 0;
    this.#newLowest = Number.POSITIVE_INFINITY;
    this.#dueAtUs = NEVER;
    this.#unprunedAcks++;
    return true;
  }

  /** How many of the highest received numbers reach down to the lowest that is news. Bounded by what is remembered. */
  #timeCount(): number {
    if (this.#ackDelayUs === 0) return 0;
    const lowest = Math.max(this.#newLowest, this.largest - TIMES_KEPT + 1);
    let count = 0;
    for (let i = this.#ranges.count - 1; i >= 0 && count < ACK_TIMES_MAX; i--) {
      const end = this.#ranges.end(i);
      if (end <= lowest) break;
      count += end - Math.max(lowest, this.#ranges.start(i));
    }
    return Math.min(count, ACK_TIMES_MAX);
  }

  /** Our ACK up to `largest` has arrived: what it said need not be repeated. RFC 9000 §13.2.4. */
  onAcked(largest: number): void {
    this.#unprunedAcks = 0;
    this.#ranges.removeBelow(largest);
  }

  /** An ACK is never resent: the next one says it all again. */
  onLost(): void {}
}
