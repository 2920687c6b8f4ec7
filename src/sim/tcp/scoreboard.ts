/**
 * What a TCP sender knows of the segments it has sent and not yet seen acknowledged: which were selectively
 * acknowledged, which are lost, which retransmission is on its way, and in which order they were sent last.
 * In: transmissions and acknowledgements. Out: bytes to retransmit next, and the pipe (RFC 6675 §4), kept by counting.
 */
import type { Micros } from '../../base/protocol.ts';
import type { SackBlock } from './segment.ts';

/** One segment in flight. Its boundaries never change: a retransmission carries the same bytes. */
export interface SentSegment {
  /** Its number among all segments ever sent, from 0. */
  readonly index: number;
  readonly seq: number;
  readonly end: number;
  readonly firstSentAtUs: Micros;
  sentAtUs: Micros;
  /** Number of its last transmission among all: the order within one instant, which the clock cannot tell. */
  sentOrder: number;
  transmissions: number;
  isSacked: boolean;
  isLost: boolean;
  /** A retransmission is in flight. */
  isRetransmitted: boolean;
  /** Neighbours in the order of last transmission; both undefined when neither in flight nor alone. */
  previous: SentSegment | undefined;
  next: SentSegment | undefined;
  isQueued: boolean;
}

/** The segments between the oldest unacknowledged byte and the newest sent one. */
export class Scoreboard {
  /** The oldest byte not acknowledged (SND.UNA). */
  una = 0;
  sackedCount = 0;
  lostCount = 0;
  retransmittedCount = 0;
  /** The end of the highest byte acknowledged in any way (SND.FACK). */
  highestDelivered = 0;

  readonly #segments: SentSegment[] = [];
  #head = 0;
  #firstIndex = 0;
  #nextIndex = 0;
  #nextOrder = 0;
  /** No segment below this index is lost without a retransmission in flight. */
  #lostHint = 0;
  #oldest: SentSegment | undefined;
  #newest: SentSegment | undefined;

  /** Segments sent and not cumulatively acknowledged. */
  get count(): number {
    return this.#segments.length - this.#head;
  }

  /** Segments thought to be in the network (RFC 6675 §4 `SetPipe`, in segments as Linux counts). */
  get pipe(): number {
    return this.count - this.sackedCount - this.lostCount + this.retransmittedCount;
  }

  /** In flight, the one whose last transmission is the oldest: follow `next` for the others. */
  get oldestSent(): SentSegment | undefined {
    return this.#oldest;
  }

  get first(): SentSegment | undefined {
    return this.#segments[this.#head];
  }

  get last(): SentSegment | undefined {
    return this.count === 0 ? undefined : this.#segments.at(-1);
  }

  /** Notes the first transmission of bytes [seq, end). */
  add(seq: number, end: number, nowUs: Micros): SentSegment {
    const segment: SentSegment = {
      index: this.#nextIndex++,
      seq,
      end,
      firstSentAtUs: nowUs,
      sentAtUs: nowUs,
      sentOrder: this.#nextOrder++,
      transmissions: 1,
      isSacked: false,
      isLost: false,
      isRetransmitted: false,
      previous: undefined,
      next: undefined,
      isQueued: false,
    };
    this.#segments.push(segment);
    this.#append(segment);
    return segment;
  }

  /** Notes a retransmission. */
  retransmit(segment: SentSegment, nowUs: Micros): void {
    this.#remove(segment);
    this.#append(segment);
    segment.sentAtUs = nowUs;
    segment.sentOrder = this.#nextOrder++;
    segment.transmissions++;
    if (!segment.isRetransmitted) this.retransmittedCount++;
    segment.isRetransmitted = true;
  }

  /** Marks a segment lost, or its retransmission. It leaves the order of transmission until it is sent again. */
  markLost(segment: SentSegment): void {
    this.#remove(segment);
    if (segment.isRetransmitted) {
      segment.isRetransmitted = false;
      this.retransmittedCount--;
    }
    if (!segment.isLost) {
      segment.isLost = true;
      this.lostCount++;
    }
    if (segment.index < this.#lostHint) this.#lostHint = segment.index;
  }

  /** Takes back every loss mark: what was thought lost was late. Cost: a sort; this is rare. */
  unmarkLost(): void {
    const inFlight: SentSegment[] = [];
    for (let index = this.#firstIndex; index < this.#nextIndex; index++) {
      const segment = this.#at(index);
      if (segment.isSacked) continue;
      this.#remove(segment);
      segment.isLost = false;
      inFlight.push(segment);
    }
    this.lostCount = 0;
    inFlight.sort((a, b) => a.sentOrder - b.sentOrder);
    for (const segment of inFlight) this.#append(segment);
  }

  /** The lowest lost segment without a retransmission in flight. */
  nextLost(): SentSegment | undefined {
    for (let index = Math.max(this.#lostHint, this.#firstIndex); index < this.#nextIndex; index++) {
      const segment = this.#at(index);
      if (segment.isLost && !segment.isRetransmitted) {
        this.#lostHint = index;
        return segment;
      }
    }
    this.#lostHint = this.#nextIndex;
    return undefined;
  }

  /** Calls `visit` for each segment newly covered by a SACK block, from low to high. */
  sack(block: SackBlock, visit: (segment: SentSegment) => void): void {
    const start = Math.max(block.start, this.una);
    for (let index = this.#firstFrom(start); index < this.#nextIndex; index++) {
      const segment = this.#at(index);
      if (segment.end > block.end) return;
      if (segment.isSacked) continue;
      this.#settle(segment);
      segment.isSacked = true;
      this.sackedCount++;
      this.highestDelivered = Math.max(this.highestDelivered, segment.end);
      visit(segment);
    }
  }

  /** Removes what lies below `ack`, calling `visit` for each segment, from low to high. */
  acknowledge(ack: number, visit: (segment: SentSegment) => void): void {
    while (this.count > 0) {
      const segment = this.#segments[this.#head] as SentSegment;
      if (segment.end > ack) break;
      if (segment.isSacked) this.sackedCount--;
      else this.#settle(segment);
      visit(segment);
      this.#head++;
      this.#firstIndex++;
    }
    this.una = Math.max(this.una, ack);
    this.highestDelivered = Math.max(this.highestDelivered, ack);
    if (this.#head > 256 && this.#head * 2 > this.#segments.length) {
      this.#segments.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** Takes a segment that has arrived out of all other counts. */
  #settle(segment: SentSegment): void {
    this.#remove(segment);
    if (segment.isLost) this.lostCount--;
    if (segment.isRetransmitted) this.retransmittedCount--;
    segment.isLost = false;
    segment.isRetransmitted = false;
  }

  #at(index: number): SentSegment {
    return this.#segments[this.#head + index - this.#firstIndex] as SentSegment;
  }

  /** Index of the first segment that begins at or after `seq`. */
  #firstFrom(seq: number): number {
    let low = this.#firstIndex;
    let high = this.#nextIndex;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#at(middle).seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #append(segment: SentSegment): void {
    segment.previous = this.#newest;
    segment.next = undefined;
    segment.isQueued = true;
    if (this.#newest === undefined) this.#oldest = segment;
    else this.#newest.next = segment;
    this.#newest = segment;
  }

  #remove(segment: SentSegment): void {
    if (!segment.isQueued) return;
    if (segment.previous === undefined) this.#oldest = segment.next;
    else segment.previous.next = segment.next;
    if (segment.next === undefined) this.#newest = segment.previous;
    else segment.next.previous = segment.previous;
    segment.previous = undefined;
    segment.next = undefined;
    segment.isQueued = false;
  }
}
