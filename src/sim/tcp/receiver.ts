/**
 * The receiving half of the TCP model: puts bytes in order, acknowledges cumulatively and selectively, delays
 * acknowledgements, reports duplicates, and advertises the room it has.
 * In: segments with data. Out: acknowledgements, and how far the stream has arrived in order.
 * Source: RFC 9293, RFC 2018, RFC 2883, RFC 5681 §4.2 (acknowledge every second segment, at once on disorder),
 * RFC 7323 §4.3; timing as Linux: 40 ms (TCP_DELACK_MIN), the first 16 segments at once (quick ACK).
 */
import type { Micros } from '../../base/protocol.ts';
import { SimTimer, type Simulator } from '../simulator.ts';
import { SACK_BLOCKS_MAX, type SackBlock, SEGMENT_BYTES_MAX, type TcpSegment } from './segment.ts';

const ACK_DELAY_US: Micros = 40_000;
const QUICK_ACKS = 16;

interface Island {
  start: number;
  end: number;
  /** When it last grew: the most recent is reported first. */
  stamp: number;
}

export interface TcpReceiverOptions {
  /** Bytes of buffer; what the application has not read takes room. Default 6 MiB (Linux tcp_rmem maximum). */
  readonly bufferBytes?: number;
  /** Longest delay of an acknowledgement, milliseconds; default 40. */
  readonly ackDelayMs?: number;
}

/** Receives one byte stream. */
export class TcpReceiver {
  /** Called whenever more of the stream has arrived in order, with its length so far. */
  onData: (inOrderBytes: number, nowUs: Micros) => void = () => {};
  /** Segments that carried nothing new. */
  duplicates = 0;
  acknowledgements = 0;
  readonly #sim: Simulator;
  readonly #send: (segment: TcpSegment) => void;
  readonly #bufferBytes: number;
  readonly #ackDelayUs: Micros;
  readonly #timer: SimTimer;
  /** Received beyond the first gap, in order, disjoint and not touching. */
  #islands: Island[] = [];
  #next = 0;
  #read = 0;
  #isReading = true;
  #acknowledged = 0;
  #quickAcks = QUICK_ACKS;
  #echoUs: Micros = 0;
  #stamp = 0;

  constructor(sim: Simulator, send: (segment: TcpSegment) => void, options: TcpReceiverOptions = {}) {
    this.#sim = sim;
    this.#send = send;
    this.#bufferBytes = options.bufferBytes ?? 6 * 1_024 * 1_024;
    this.#ackDelayUs = options.ackDelayMs === undefined ? ACK_DELAY_US : options.ackDelayMs * 1_000;
    this.#timer = new SimTimer(sim, () => this.#acknowledge(undefined));
  }

  /** Bytes arrived in order. */
  get inOrderBytes(): number {
    return this.#next;
  }

  /** Stops or resumes the application's reading; resuming announces the room at once. */
  setReading(isReading: boolean): void {
    this.#isReading = isReading;
    if (!isReading) return;
    this.#read = this.#next;
    this.#acknowledge(undefined);
  }

  stop(): void {
    this.#timer.disarm();
  }

  /** Takes a segment from the sender. */
  receive(segment: TcpSegment): void {
    if (segment.kind === 'syn') {
      this.#echoUs = segment.sentAtUs;
      this.#emit('syn-ack', []);
      return;
    }
    const end = segment.seq + segment.length;
    if (segment.length === 0) {
      this.#acknowledge(undefined);
      return;
    }
    if (end > this.#next + this.#room()) return;
    if (segment.seq <= this.#acknowledged && end > this.#acknowledged) this.#echoUs = segment.sentAtUs;
    if (this.#hasAll(segment.seq, end)) {
      this.duplicates++;
      this.#acknowledge({ start: segment.seq, end });
      return;
    }
    const hadIslands = this.#islands.length > 0;
    if (segment.seq > this.#next) this.#keep(segment.seq, end);
    else this.#advance(end);
    this.#decideAck(hadIslands);
  }

  #room(): number {
    return Math.max(0, this.#bufferBytes - (this.#next - this.#read));
  }

  #hasAll(start: number, end: number): boolean {
    if (end <= this.#next) return true;
    return this.#islands.some((island) => island.start <= start && end <= island.end);
  }

  #keep(start: number, end: number): void {
    const merged: Island = { start, end, stamp: ++this.#stamp };
    const kept: Island[] = [];
    for (const island of this.#islands) {
      if (island.end < merged.start || island.start > merged.end) kept.push(island);
      else {
        merged.start = Math.min(merged.start, island.start);
        merged.end = Math.max(merged.end, island.end);
      }
    }
    const at = kept.findIndex((island) => island.start > merged.start);
    kept.splice(at < 0 ? kept.length : at, 0, merged);
    this.#islands = kept;
  }

  #advance(end: number): void {
    this.#next = Math.max(this.#next, end);
    while (this.#islands.length > 0 && (this.#islands[0] as Island).start <= this.#next) {
      this.#next = Math.max(this.#next, (this.#islands.shift() as Island).end);
    }
    if (this.#isReading) this.#read = this.#next;
    this.onData(this.#next, this.#sim.now);
  }

  #decideAck(hadIslands: boolean): void {
    const isDisordered = hadIslands || this.#islands.length > 0;
    const isMuch = this.#next - this.#acknowledged > SEGMENT_BYTES_MAX;
    if (isDisordered || isMuch || this.#quickAcks > 0) {
      if (this.#quickAcks > 0) this.#quickAcks--;
      this.#acknowledge(undefined);
      return;
    }
    if (this.#timer.deadlineUs === Number.POSITIVE_INFINITY)
      this.#timer.arm(this.#sim.now + this.#ackDelayUs);
  }

  #acknowledge(duplicate: SackBlock | undefined): void {
    this.#timer.disarm();
    const blocks: SackBlock[] = duplicate === undefined ? [] : [duplicate];
    const recent =
      this.#islands.length > 1 ? this.#islands.toSorted((a, b) => b.stamp - a.stamp) : this.#islands;
    for (let i = 0; i < recent.length && blocks.length < SACK_BLOCKS_MAX; i++) {
      const island = recent[i] as Island;
      blocks.push({ start: island.start, end: island.end });
    }
    this.#emit('ack', blocks);
    this.#acknowledged = this.#next;
  }

  #emit(kind: 'syn-ack' | 'ack', sack: readonly SackBlock[]): void {
    this.acknowledgements++;
    const echoUs = this.#echoUs;
    const sentAtUs = this.#sim.now;
    this.#send({ kind, seq: 0, length: 0, ack: this.#next, window: this.#room(), sack, sentAtUs, echoUs });
  }
}
