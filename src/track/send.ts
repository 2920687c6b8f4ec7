/**
 * The sending half of one live track. In: media frames, acknowledgements, losses. Out: SYMBOL and REPAIR frames, each
 * within its deadline, and exactly one outcome per media frame.
 * Source: DESIGN D3, D5, D8; docs/wire-format.md §3.6.
 */
import type { Writer } from '../base/bytes.ts';
import { WireError } from '../base/errors.ts';
import { type Micros, NEVER } from '../base/protocol.ts';
import type { TrackAckFrame } from '../wire/ack.ts';
import { type Activate, type PacketRecord, type Sender, TokenKind } from '../wire/frame-source.ts';
import { symbolHeaderSize } from '../wire/symbol.ts';
import { CompletionTracker } from './completion.ts';
import type { Timed } from './deadline-heap.ts';
import { FrameHistory, type FrameReport } from './history.ts';
import {
  ACK_SLACK_US,
  KEPT_SYMBOLS_MAX,
  PATH_GRACE_US_MAX,
  SEND_BYTES_MAX,
  SEND_QUEUE_FRAMES_MAX,
} from './limits.ts';
import { Protection } from './protection.ts';
import { checkRedundancy } from './redundancy.ts';
import { RepairQueue } from './repair-queue.ts';
import type { SenderEvents, TrackSenderOptions } from './send-options.ts';
import { SendQueue } from './send-queue.ts';
import { checkMediaFrame, FrameLayout, SentFrame, symbolBytesMax } from './sent-frame.ts';
import { SymbolState, SymbolWindow } from './symbol-window.ts';
import { SymbolWriter } from './symbol-writer.ts';
import { countOutcome, sendStatistics } from './totals.ts';
import type {
  FramePlan,
  MediaFrameOptions,
  Outcome,
  PathView,
  RedundancyMode,
  SendStatistics,
  TrackKind,
} from './types.ts';

/** One live track, sending. O(1) per symbol, O(symbols) once per media frame. */
export class TrackSender implements Sender, Timed {
  readonly id: number;
  readonly kind: TrackKind;
  readonly latencyUs: Micros;
  sendOrder: number;
  weight: number;
  heapIndex = -1;
  armedUs: Micros = NEVER;
  readonly statistics: SendStatistics = sendStatistics();
  readonly #activate: Activate;
  readonly #path: PathView;
  readonly #events: SenderEvents;
  readonly #layout: FrameLayout;
  readonly #queue: SendQueue = new SendQueue();
  readonly #window: SymbolWindow = new SymbolWindow();
  readonly #symbols: SymbolWriter;
  readonly #repair: RepairQueue;
  readonly #protection: Protection;
  readonly #completion: CompletionTracker;
  readonly #history: FrameHistory = new FrameHistory();
  #frameCount = 0;
  #unsettled = 0;
  #heldBytes = 0;
  #hasEnded = false;
  #hasDrained = false;
  #isClosed = false;

  constructor(options: TrackSenderOptions) {
    this.id = options.id;
    this.kind = options.kind;
    this.latencyUs = options.latencyUs;
    this.sendOrder = options.sendOrder;
    this.weight = options.weight;
    this.#activate = options.activate;
    this.#path = options.path;
    this.#events = options.events;
    this.#layout = options.layout ?? new FrameLayout();
    this.#symbols = new SymbolWriter(options.id, options.path, this.#window, this.statistics);
    this.#repair = new RepairQueue(options.id, options.repair, this.#window);
    this.#protection = new Protection(options, this.#repair, this.#window);
    this.#completion = new CompletionTracker(this.#window);
  }

  /** Media bytes that have not left yet. */
  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /** Age of the oldest media that has not left yet. */
  queuedUs(now: Micros): Micros {
    const head = this.#queue.head;
    return head === undefined ? 0 : now - head.sentAtUs;
  }

  /** Media frames that have no outcome yet. */
  get unsettledFrames(): number {
    return this.#unsettled;
  }

  /** The connection or the receiver has ended the track: nothing is taken any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The next symbol id, and the next frame id: final once `onDrained` was called. */
  get nextSymbolId(): number {
    return this.#window.next;
  }

  get nextFrameId(): number {
    return this.#frameCount;
  }

  /**
   * Takes one media frame (its bytes are copied). Never blocks: what does not fit expires.
   *
   * @returns The frame id, which `onSettled` names.
   * @throws RangeError above 16 MiB; TypeError, RangeError for bad options; Error after `end` or `close`.
   */
  send(data: Uint8Array, options: MediaFrameOptions, now: Micros): number {
    if (this.#hasEnded || this.#isClosed) throw new Error('the track has ended');
    checkMediaFrame(data.length, options);
    this.#expire(now);
    const frame = new SentFrame(this.#frameCount, data.length, options, now, this.latencyUs);
    this.#layout.lay(frame, data, symbolBytesMax(this.id, this.#path.maxPayloadBytes, data.length));
    this.#frameCount++;
    this.#makeRoom(data.length, now);
    this.#protection.onSend(now);
    this.#queue.push(frame);
    this.#history.add(frame);
    this.#unsettled++;
    this.#heldBytes += data.length;
    this.statistics.frames.sent++;
    this.#activate(this);
    this.#events.onTouched(this);
    return frame.id;
  }

  get redundancy(): RedundancyMode {
    return this.#protection.redundancy;
  }

  get target(): number {
    return this.#protection.target;
  }

  /** What the newest media frame was given, and why. */
  get plan(): Readonly<FramePlan> {
    return this.#protection.plan;
  }

  /** Redundancy of the media frames to come. @throws RangeError: see {@link checkRedundancy}. */
  configure(redundancy: RedundancyMode, target: number): void {
    checkRedundancy(redundancy, target);
    this.#protection.configure(redundancy, target);
  }

  /** What became of one of the last 1024 media frames, and why; undefined for an older one. */
  explain(frameId: number): FrameReport | undefined {
    return this.#history.report(frameId, this.#path.smoothedRttUs);
  }

  /** No more media frames. `onDrained` and `onEnded` follow, at once if everything has left or settled. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#checkEnd();
  }

  /** Drops everything: the connection closes, or the receiver wants no more. No event but `onSettled` follows. */
  close(now: Micros): void {
    this.#isClosed = true;
    this.#repair.clear();
    for (let frame = this.#window.oldest; frame !== undefined; frame = this.#window.oldest) {
      this.#settle(frame, 'dropped', now);
    }
    for (let frame = this.#queue.head; frame !== undefined; frame = this.#queue.head) {
      this.#settle(frame, 'dropped', now);
    }
    this.#events.onTouched(this);
  }

  hasData(now: Micros): boolean {
    this.#expire(now);
    this.#protection.decide(now);
    if (this.#window.nextResend(now) >= 0 || this.#repair.hasRepair(now)) return true;
    const head = this.#queue.head;
    return head !== undefined && (head.first >= 0 || this.#window.hasRoomFor(head.count));
  }

  /**
   * Writes one SYMBOL or REPAIR frame: resends (nearest deadline first), repair of media frames that have left, new
   * symbols. Where it leaves no useful room it omits Length and sets `writer.end`: the packet is full.
   */
  writeFrame(writer: Writer, record: PacketRecord, now: Micros): number {
    this.#expire(now);
    this.#protection.decide(now);
    const lost = this.#window.nextResend(now);
    let size = lost >= 0 ? this.#symbols.write(writer, record, lost, now) : 0;
    if (size === 0 && this.#repair.hasRepair(now)) size = this.#writeRepair(writer, record, now);
    if (size === 0) size = this.#writeNew(writer, record, now);
    if (size > 0) this.#events.onTouched(this);
    return size;
  }

  /** `b` and `c` of a TRACK token: symbol id and transmission; for repair -1 and a serial number. */
  onAcked(b: number, c: number, now: Micros): void {
    if (b < 0) {
      this.#onRepairFate(c, true);
      return;
    }
    const frame = this.#window.acked(b, c);
    if (frame === undefined) return;
    if (frame.acked === frame.count) this.#settle(frame, 'acknowledged', now);
    else if (frame.isComplete && frame.inFlight === 0) this.#settle(frame, 'recovered', now);
    this.#events.onTouched(this);
  }

  /** As {@link onAcked}. */
  onLost(b: number, c: number, now: Micros): void {
    if (b < 0) {
      this.#onRepairFate(c, false);
      return;
    }
    const frame = this.#window.lost(b, c, now);
    if (frame === undefined) return;
    if (frame.isComplete) {
      if (frame.inFlight === 0) this.#settle(frame, 'recovered', now);
    } else if (now < frame.deadlineUs) {
      this.#window.queueResend(b);
      this.#protection.onLost(frame, now);
      this.#activate(this);
    }
    this.#events.onTouched(this);
  }

  /** @returns 0, or the WireError to close with: the peer acknowledged what was never sent. */
  onTrackAck(ack: TrackAckFrame, now: Micros): number {
    const decideAtUs = now + Math.min(this.#path.smoothedRttUs, PATH_GRACE_US_MAX) + ACK_SLACK_US;
    if (!this.#completion.read(ack, decideAtUs)) return WireError.PROTOCOL_VIOLATION;
    for (
      let frame = this.#completion.takeDecided();
      frame !== undefined;
      frame = this.#completion.takeDecided()
    ) {
      this.#settle(frame, 'recovered', now);
    }
    if (this.#completion.hasUnparked) this.#activate(this);
    this.#events.onTouched(this);
    return 0;
  }

  /** Resends the oldest symbol in flight, if that can help: for a probe timeout. True if `writeFrame` has it now. */
  probe(now: Micros): boolean {
    const found = this.#window.loseOldest(now, this.#path.smoothedRttUs);
    if (found) this.#activate(this);
    return found;
  }

  handleTimeout(now: Micros): void {
    this.#expire(now);
    this.#protection.decide(now);
    if (this.#window.nextResend(now) >= 0 || this.#repair.hasRepair(now)) this.#activate(this);
  }

  /** O(1). */
  nextDeadline(): Micros {
    const head = this.#queue.head;
    const oldest = this.#window.oldest;
    let deadline = head === undefined ? NEVER : head.deadlineUs;
    deadline = Math.min(deadline, this.#queue.pressureAtUs(this.latencyUs), this.#window.heldUntilUs);
    deadline = Math.min(deadline, this.#completion.decideAtUs, this.#protection.nextDeadline());
    return oldest === undefined ? deadline : Math.min(deadline, this.#giveUpAtUs(oldest));
  }

  #giveUpAtUs(frame: SentFrame): Micros {
    return frame.giveUpAtUs(this.#path, this.#window.isCrowded || this.#heldBytes > SEND_BYTES_MAX / 2);
  }

  #expire(now: Micros): void {
    // Deadlines ascend in the order of sending, so looking at the oldest is enough.
    for (let head = this.#queue.head; head !== undefined && now >= head.deadlineUs; head = this.#queue.head) {
      this.#settle(head, 'expired', now);
    }
    while (now >= this.#queue.pressureAtUs(this.latencyUs)) {
      this.#settle(this.#queue.victim() as SentFrame, 'expired', now);
    }
    for (let oldest = this.#window.oldest; oldest !== undefined; oldest = this.#window.oldest) {
      if (now < this.#giveUpAtUs(oldest)) break;
      this.#settle(oldest, oldest.isComplete ? 'recovered' : 'expired', now);
    }
    while (now >= this.#completion.decideAtUs) {
      this.#settle(this.#completion.undecided as SentFrame, 'recovered', now);
    }
  }

  /** Keeps what is held under its bounds by dropping what matters least. */
  #makeRoom(size: number, now: Micros): void {
    while (this.#heldBytes + size > SEND_BYTES_MAX || this.#queue.length >= SEND_QUEUE_FRAMES_MAX) {
      const victim = this.#queue.victim() ?? this.#window.oldest;
      if (victim === undefined) return;
      this.#settle(victim, 'dropped', now);
    }
  }

  #writeNew(writer: Writer, record: PacketRecord, now: Micros): number {
    while (this.#queue.isHeadTooLate(now, this.#path.packetUs)) {
      this.#settle(this.#queue.head as SentFrame, 'expired', now);
    }
    const frame = this.#queue.head;
    if (frame === undefined) return 0;
    if (frame.first < 0) {
      if (!this.#start(frame, writer.room)) return 0;
      this.#protection.onStart(frame, now);
      if (this.#repair.hasRepair(now)) {
        const size = this.#writeRepair(writer, record, now);
        if (size > 0) return size;
      }
    }
    const index = frame.written;
    const id = frame.first + index;
    const size = this.#symbols.write(writer, record, id, now);
    if (size === 0 || this.#window.state(id) === SymbolState.UNSENT) return size;
    frame.written++;
    this.#queue.wrote(frame, frame.dataBytes(index));
    if (frame.written === frame.count) {
      this.#queue.finish();
      this.#protection.onWritten(frame);
      this.#checkEnd();
    }
    return size;
  }

  /** Gives the frame its symbol ids, if its first symbol can leave in this packet. */
  #start(frame: SentFrame, room: number): boolean {
    const limit = symbolBytesMax(this.id, this.#path.maxPayloadBytes, frame.bytes);
    if ((frame.symbols[0] as Uint8Array).length > limit) this.#layout.layAgain(frame, limit);
    if (symbolHeaderSize(this.id, -1, 0, -1) + (frame.symbols[0] as Uint8Array).length > room) return false;
    if (!this.#window.hasRoomFor(frame.count)) return false;
    this.#queue.begin(frame);
    this.#window.start(frame);
    return true;
  }

  #writeRepair(writer: Writer, record: PacketRecord, now: Micros): number {
    const repair = this.#repair;
    const size = repair.write(writer, this.#path.maxPayloadBytes);
    if (size === 0) return 0;
    record.note(TokenKind.TRACK, this.id, -1, repair.lastSerial);
    this.statistics.repairBytes += size;
    this.statistics.repairsSent++;
    repair.lastFrame?.onRepairLeft(this.#path, this.plan.spacingUs, now);
    return size;
  }

  #onRepairFate(serial: number, hasArrived: boolean): void {
    const frame = this.#repair.onFate(serial, hasArrived);
    if (frame !== undefined && this.#window.onRepairFate(frame.first)) this.#activate(this);
    this.#events.onTouched(this);
  }

  #settle(frame: SentFrame, outcome: Outcome, now: Micros): void {
    if (frame.written < frame.count) this.#queue.drop(frame);
    frame.isSettled = true;
    frame.outcome = outcome;
    frame.settledAtUs = now;
    const arrived = outcome === 'acknowledged' || outcome === 'recovered';
    if (arrived) frame.isComplete = true;
    const isHalfSent = frame.first >= 0 && frame.written < frame.count;
    // Blocks may reach over a settled frame, while that costs little memory.
    const isKept = frame.first >= 0 && this.#window.next - this.#window.base <= KEPT_SYMBOLS_MAX;
    if (!isKept) frame.symbols = NO_SYMBOLS;
    this.#unsettled--;
    this.#heldBytes -= frame.bytes;
    this.#window.trim();
    this.#completion.trim();
    const isLate = now > frame.deadlineUs + this.#path.smoothedRttUs + ACK_SLACK_US;
    countOutcome(this.statistics, outcome, isLate, frame.neededResend);
    this.#events.onSettled(this, frame.id, outcome, now);
    if (isHalfSent && !this.#isClosed) {
      this.#events.onSkip(this, frame.first, frame.count, frame.deadlineUs);
    }
    if (this.#queue.length > 0) this.#activate(this);
    this.#checkEnd();
  }

  #checkEnd(): void {
    if (!this.#hasEnded || this.#isClosed || this.#queue.length > 0) return;
    if (!this.#hasDrained) {
      this.#hasDrained = true;
      this.#events.onDrained(this);
    }
    if (this.#unsettled === 0) this.#events.onEnded(this);
  }
}

const NO_SYMBOLS: readonly Uint8Array[] = [];
