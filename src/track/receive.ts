/**
 * The receiving half of one live track. In: SYMBOL and REPAIR frames, in any order, before or after the announcement.
 * Out: media frames, each at most once, and TRACK_ACK. Everything a peer can make it hold is bounded.
 * Source: DESIGN D3, D4, D6; docs/wire-format.md §3.6.
 */
import type { Writer } from '../base/bytes.ts';
import { WireError } from '../base/errors.ts';
import { type Micros, NEVER } from '../base/protocol.ts';
import {
  expandSymbolId,
  type RepairFrame,
  SourceSymbolHeader,
  SYMBOLS_PER_FRAME_MAX,
  SymbolFlag,
  type SymbolFrame,
} from '../wire/symbol.ts';
import { AckState } from './ack-state.ts';
import { ArrivalClock } from './arrival-clock.ts';
import type { Timed } from './deadline-heap.ts';
import { type HeldBudget, HeldShare } from './held.ts';
import { DeliveryOrder, type TakeFrame } from './order.ts';
import { type OutputFrame, OutputQueue } from './output-queue.ts';
import { PartialSymbols } from './partial-symbols.ts';
import { ReceivedMedia } from './received-media.ts';
import { receiveStatistics } from './totals.ts';
import type { Announcement, Arrival, ReceivedFrame, ReceiveStatistics, SymbolDecoder } from './types.ts';

/** Why a symbol was dropped; 0 is fine. Never a reason to close: the rest of the packet is processed. */
export const SymbolDrop = { NONE: 0, DUPLICATE: 1, LATE: 2, MALFORMED: 3, USELESS: 4 } as const;

/** What a receiver tells its owner. Called synchronously. */
export interface ReceiverEvents {
  /** `poll` has a media frame, and had none before. */
  onReadable(receiver: TrackReceiver): void;
  /** The track has ended and every media frame was handed to the output or given up. */
  onFinished(receiver: TrackReceiver): void;
  /** There is news for a TRACK_ACK, and was none before. */
  onAckWanted(receiver: TrackReceiver): void;
  /** The last symbol of a media frame arrived, or one was completed: a good moment for feedback. */
  onFrameEnd(receiver: TrackReceiver): void;
  /** The decoder cannot go on without a key frame. */
  onKeyFrameWanted(receiver: TrackReceiver): void;
  /** The deadline may have changed. */
  onTouched(receiver: TrackReceiver): void;
}

export interface TrackReceiverOptions {
  readonly id: number;
  readonly decoder: SymbolDecoder;
  readonly events: ReceiverEvents;
  /** What all tracks of the connection hold. */
  readonly held: HeldBudget;
}

/** One live track, receiving. O(1) per symbol besides the decoder's work. */
export class TrackReceiver implements Timed {
  readonly id: number;
  heapIndex = -1;
  armedUs: Micros = NEVER;
  /** undefined before the announcement is complete. */
  announcement: Announcement | undefined;
  readonly statistics: ReceiveStatistics = receiveStatistics();
  readonly #decoder: SymbolDecoder;
  readonly #events: ReceiverEvents;
  readonly #header: SourceSymbolHeader = new SourceSymbolHeader();
  readonly #clock: ArrivalClock = new ArrivalClock();
  readonly #partials: PartialSymbols;
  readonly #acks: AckState = new AckState();
  readonly #output: OutputQueue;
  readonly #decoderHeld: HeldShare;
  /** Of media frames that have not left for the output. */
  readonly #held: HeldShare;
  readonly #order: DeliveryOrder;
  readonly #takeRebuilt: (id: number, bytes: Uint8Array) => void;
  /** One above the highest symbol id seen. */
  #nextSymbol = 0;
  #latencyUs: Micros = 0;
  #now: Micros = 0;
  #isFinished = false;
  #isStopped = false;

  constructor(options: TrackReceiverOptions) {
    this.id = options.id;
    this.#decoder = options.decoder;
    this.#events = options.events;
    this.#partials = new PartialSymbols(new HeldShare(options.held));
    this.#output = new OutputQueue(new HeldShare(options.held));
    this.#decoderHeld = new HeldShare(options.held);
    this.#held = new HeldShare(options.held);
    const take: TakeFrame = (frame, how, skipped, now) => {
      const output = asOutput(frame, how, skipped);
      frame.release();
      this.#output.push(output, this.#latencyUs, now);
    };
    this.#order = new DeliveryOrder(this.#clock, this.statistics.frames, this.#held, take);
    this.#takeRebuilt = (id, bytes) => this.#onRebuilt(id, bytes);
  }

  /** True when nothing more will come. `poll` may still have media frames. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  /** The next media frame for the application; undefined when there is none now. */
  poll(): ReceivedFrame | undefined {
    return this.#output.poll();
  }

  /** Media frames and bytes that wait for the application. */
  get readableFrames(): number {
    return this.#output.length;
  }

  get readableBytes(): number {
    return this.#output.bytes;
  }

  /** The announcement is complete. What came before it was held. */
  announce(announcement: Announcement, now: Micros): void {
    this.announcement = announcement;
    this.#latencyUs = announcement.latencyUs;
    const before = this.#output.length;
    this.#order.announce(announcement.latencyUs, announcement.delivery, announcement.order, now);
    this.#afterChange(before);
  }

  /** @returns A {@link SymbolDrop}. Bytes are kept as views. */
  onSymbol(frame: SymbolFrame, now: Micros): number {
    if (this.#isClosed) return SymbolDrop.LATE;
    const id = expandSymbolId(frame.symbolId, this.#nextSymbol);
    this.#now = now;
    this.statistics.symbolsReceived++;
    let symbol: Uint8Array | undefined = frame.bytes;
    if (frame.isPart) {
      symbol = this.#partials.add(id, frame.symbolBytes, frame.partOffset, frame.bytes);
      if (symbol === undefined) return SymbolDrop.NONE;
    }
    const before = this.#output.length;
    const wasWanted = this.#acks.isWanted;
    const drop = this.#place(id, symbol, frame.isResent, false);
    if (drop !== SymbolDrop.NONE) {
      this.#countDrop(drop);
      return drop;
    }
    this.#decoder.onSymbol(id, symbol);
    this.#decoder.takeRebuilt(this.#takeRebuilt);
    this.#order.advance(now);
    this.#afterChange(before);
    if (!wasWanted && this.#acks.isWanted) this.#events.onAckWanted(this);
    return SymbolDrop.NONE;
  }

  /** @returns A {@link SymbolDrop}. */
  onRepair(repair: RepairFrame, now: Micros): number {
    if (this.#isClosed) return SymbolDrop.LATE;
    const first = expandSymbolId(repair.first, this.#nextSymbol);
    this.#now = now;
    this.statistics.repairsReceived++;
    this.statistics.repairBytes += repair.bytes.length;
    const reason = this.#decoder.onRepair(first, repair.stride, repair.k, repair.row, repair.bytes);
    if (reason !== 0) return SymbolDrop.USELESS;
    const before = this.#output.length;
    const wasWanted = this.#acks.isWanted;
    if (repair.stride === 1) {
      const frame = this.#order.find(first);
      if (frame !== undefined && frame.count === repair.k && !frame.isComplete) {
        frame.repairs++;
        this.#acks.onChange();
        // It does not suffice: resends may wait to hear of it.
        this.#events.onFrameEnd(this);
      }
    }
    this.#decoder.takeRebuilt(this.#takeRebuilt);
    this.#order.onRepair(first, now);
    this.#order.advance(now);
    this.#afterChange(before);
    if (!wasWanted && this.#acks.isWanted) this.#events.onAckWanted(this);
    return SymbolDrop.NONE;
  }

  /** TRACK_SKIP: the sender gave a media frame up. @returns 0, or the WireError to close with. */
  onSkip(first: number, count: number, now: Micros): number {
    if (count < 1 || count > SYMBOLS_PER_FRAME_MAX) return WireError.FRAME_ENCODING_ERROR;
    if (this.#isClosed || this.#acks.isDone(first) || first < this.#order.cursor) return 0;
    let frame = this.#order.find(first);
    if (frame === undefined) {
      const header = this.#header;
      header.count = count;
      header.frameLength = 0;
      frame = new ReceivedMedia(first, header, now - this.#clock.offsetUs, this.#held);
      if (!this.#order.insert(frame)) return 0;
    }
    if (frame.isComplete || frame.count !== count) return 0;
    frame.isAbandoned = true;
    this.#nextSymbol = Math.max(this.#nextSymbol, first + count);
    const before = this.#output.length;
    this.#order.enforceLimits(now);
    this.#order.advance(now);
    this.#afterChange(before);
    return 0;
  }

  /** TRACK_END. @returns 0, or the WireError to close with. */
  onEnd(finalSymbol: number, finalFrameId: number, now: Micros): number {
    if (finalSymbol < this.#nextSymbol) return WireError.FINAL_SIZE_ERROR;
    if (this.#isClosed) return 0;
    const before = this.#output.length;
    this.#order.end(finalSymbol, finalFrameId, now);
    // The last word on every media frame, so that both ends can forget the track.
    this.#acks.onChange();
    this.#events.onAckWanted(this);
    this.#afterChange(before);
    return 0;
  }

  /** Asks the sender for a key frame. At most one request per round trip leaves. */
  requestKeyFrame(): void {
    if (!this.#isClosed) this.#events.onKeyFrameWanted(this);
  }

  /** The application wants no more: everything held is dropped, what comes is ignored. */
  stop(): void {
    this.#isStopped = true;
    this.#forget();
    this.#output.clear();
    this.#events.onTouched(this);
  }

  /** The connection forgets the track: what can still be read belongs to whoever holds on to this. */
  detach(): void {
    this.#output.detach();
  }

  /** Nothing on its way in is of use any more. */
  #forget(): void {
    this.#order.clear();
    this.#partials.clear();
    this.#dropBelow(Number.MAX_SAFE_INTEGER);
  }

  /** And counts what the decoder still holds: half of it goes where that is too much. */
  #dropBelow(id: number): void {
    const decoder = this.#decoder;
    const held = this.#decoderHeld;
    decoder.dropBelow(id);
    held.charge(decoder.heldBytes - held.bytes);
    if (!held.isExceeded) return;
    decoder.keepAtMost(held.bytes / 2);
    held.charge(decoder.heldBytes - held.bytes);
  }

  /** News for the sender: write a TRACK_ACK with the next feedback. */
  get ackWanted(): boolean {
    return this.#acks.isWanted;
  }

  /** The sender knows everything that was to be said. */
  get isAckSettled(): boolean {
    return this.#acks.isSettled;
  }

  /** Writes a TRACK_ACK. @returns Its token, for `onAckAcked`; -1 if it does not fit. */
  writeTrackAck(writer: Writer): number {
    return this.#acks.write(writer, this.id, this.#order);
  }

  onAckAcked(token: number): void {
    this.#acks.onAcked(token);
  }

  onAckLost(): void {
    if (this.#acks.isWanted) return;
    this.#acks.onLost();
    this.#events.onAckWanted(this);
  }

  handleTimeout(now: Micros): void {
    if (this.#isClosed) return;
    const before = this.#output.length;
    this.#order.advance(now);
    this.#afterChange(before);
  }

  /** Nothing comes any more: what is complete may be read now, due or not, and what it waited for is lost. */
  close(): void {
    this.handleTimeout(NEVER);
  }

  nextDeadline(): Micros {
    return this.#isClosed ? NEVER : this.#order.nextDeadline();
  }

  get #isClosed(): boolean {
    return this.#isFinished || this.#isStopped;
  }

  /** Puts one whole symbol where it belongs. */
  #place(id: number, symbol: Uint8Array, isResent: boolean, isRebuilt: boolean): number {
    if (this.#acks.isDone(id)) return id < this.#acks.floor ? SymbolDrop.LATE : SymbolDrop.DUPLICATE;
    const header = this.#header;
    if (header.parse(symbol) !== 0 || header.index > id) return SymbolDrop.MALFORMED;
    const frame = this.#frameFor(id - header.index, isRebuilt);
    if (frame === undefined || !frame.matches(header)) return SymbolDrop.MALFORMED;
    if (frame.has(header.index)) return SymbolDrop.DUPLICATE;
    frame.add(header, symbol);
    frame.lastAtUs = this.#now;
    this.#countBytes(symbol.length, header.dataBytes, isResent, isRebuilt);
    if (isResent) frame.wasResent = true;
    if (isRebuilt) frame.wasRebuilt = true;
    if (header.index === 0) this.#order.onHead(frame, this.#now);
    // What came in order the packet's own ACK says already: only gaps and repairs are news.
    if (id > this.#nextSymbol || isRebuilt) this.#acks.onChange();
    this.#nextSymbol = Math.max(this.#nextSymbol, id + 1);
    if (frame.have === frame.count) this.#complete(frame);
    else if (header.index === header.count - 1) this.#events.onFrameEnd(this);
    this.#order.enforceLimits(this.#now);
    return SymbolDrop.NONE;
  }

  #frameFor(first: number, isRebuilt: boolean): ReceivedMedia | undefined {
    const { sendTimeMs } = this.#header;
    const isFirst = !this.#clock.isSet;
    // When a symbol was rebuilt says nothing of the path; but a first one is better than nothing.
    const sentAtUs =
      isRebuilt && !isFirst
        ? this.#clock.expand(sendTimeMs, this.#now)
        : this.#clock.onArrival(sendTimeMs, this.#now);
    if (isFirst) this.#order.moveSendTimes(-this.#clock.offsetUs);
    const known = this.#order.find(first);
    if (known !== undefined) return known;
    const frame = new ReceivedMedia(first, this.#header, sentAtUs, this.#held);
    return this.#order.insert(frame) ? frame : undefined;
  }

  #complete(frame: ReceivedMedia): void {
    frame.complete(this.#now);
    const floor = this.#acks.onComplete(frame.first, frame.count, frame.wasRebuilt);
    this.#order.onComplete(frame, this.#now);
    if (floor > 0) this.#order.passBelow(floor, this.#now);
    this.#events.onFrameEnd(this);
  }

  #onRebuilt(id: number, bytes: Uint8Array): void {
    this.statistics.symbolsRebuilt++;
    const drop = this.#place(id, bytes, false, true);
    if (drop === SymbolDrop.MALFORMED) this.statistics.malformedSymbols++;
  }

  #countBytes(symbolBytes: number, dataBytes: number, isResent: boolean, isRebuilt: boolean): void {
    const statistics = this.statistics;
    if (isRebuilt) return;
    if (isResent) {
      statistics.resendBytes += symbolBytes;
      return;
    }
    statistics.mediaBytes += dataBytes;
    statistics.headerBytes += symbolBytes - dataBytes;
  }

  #countDrop(drop: number): void {
    if (drop === SymbolDrop.DUPLICATE) this.statistics.duplicateSymbols++;
    else if (drop === SymbolDrop.LATE) this.statistics.lateSymbols++;
    else this.statistics.malformedSymbols++;
  }

  #afterChange(readableBefore: number): void {
    const order = this.#order;
    this.statistics.framesDroppedSlow = this.#output.droppedFrames;
    this.statistics.evictedFrames = order.evictedFrames;
    this.#dropBelow(order.lowestOpen);
    if (readableBefore === 0 && this.#output.length > 0) this.#events.onReadable(this);
    if (order.isFinished && !this.#isFinished) {
      this.#isFinished = true;
      this.#forget();
      // Frames that were completed after the TRACK_ACK that answered TRACK_END: without another the track is never forgotten.
      if (!this.#acks.isSettled) {
        this.#acks.onChange();
        this.#events.onAckWanted(this);
      }
      this.#events.onFinished(this);
    }
    this.#events.onTouched(this);
  }
}

function asOutput(frame: ReceivedMedia, how: Arrival, skipped: number): OutputFrame {
  return {
    data: frame.data,
    timestampUs: frame.timestampUs,
    durationUs: frame.durationUs >= 0 ? frame.durationUs : undefined,
    keyFrame: (frame.flags & SymbolFlag.KEY_FRAME) !== 0,
    discardable: (frame.flags & SymbolFlag.DISCARDABLE) !== 0,
    frameId: frame.frameId,
    skipped,
    receivedAtUs: frame.completedAtUs,
    how,
  };
}
