/**
 * Control frames of streams: what is due, in which order it is written, what becomes of a lost one.
 * A stream waits at most once in the queue, so the queue is bounded by the number of streams.
 * Source: RFC 9000 §4.1, §4.6, §13.3, §19.4, §19.5, §19.9 to §19.14.
 */
import type { Writer } from '../base/bytes.ts';
import { MILLISECOND, type Micros, NEVER, SECOND } from '../base/protocol.ts';
import { CONTROL_FRAME_BYTES_MAX, writeControlFrame } from '../wire/control.ts';
import { type PacketRecord, TokenKind } from '../wire/frame-source.ts';
import { FrameType } from '../wire/frame-types.ts';
import type { StreamCounts } from './counts.ts';
import type { ReceiveWindow, SendCredit } from './flow.ts';
import type { StreamEntry, StreamTable } from './table.ts';
import type { RttView, StreamEvents } from './types.ts';

/** Frames due for one stream. */
export const StreamDue = { RESET: 1, STOP: 2, CREDIT: 4, BLOCKED: 8 } as const;
/** Frames due for the connection. MAX_STREAMS and STREAMS_BLOCKED: shifted left by 1 for unidirectional streams. */
export const ConnectionDue = { CREDIT: 1, BLOCKED: 2, MAX_STREAMS: 4, STREAMS_BLOCKED: 16 } as const;

/** Streams that MAX_STREAMS speaks of: bidirectional (0) and unidirectional (1). */
const COUNTED_KINDS = 2;
/** What the peer may delay its acknowledgements by, assumed for the first repetition. */
const ACK_DELAY_US: Micros = 25 * MILLISECOND;
/** Repetitions of BLOCKED frames slow down to this. */
const REPEAT_INTERVAL_MAX: Micros = 5 * SECOND;
/** The connection's window is this many times a stream's, so that it does not hold one busy stream back. */
const CONNECTION_WINDOW_RATIO = 1.5;

/** Streams whose credit is looked at when feedback leaves. */
const REPEATED_MAX = 4;

/** What the control frames speak of. */
export interface ControlContext {
  readonly table: StreamTable;
  /** By `StreamKindIndex`. */
  readonly counts: readonly StreamCounts[];
  readonly credit: SendCredit;
  readonly window: ReceiveWindow;
  readonly rtt: RttView;
  readonly events: Pick<StreamEvents, 'onWantsToSend'>;
}

export class StreamControl {
  readonly #context: ControlContext;
  #due = 0;
  readonly #queue: StreamEntry[] = [];
  /** Entries of `#queue` before it are written. */
  #head = 0;
  /** Streams that have not ended with a limit under way, each at most once, in turn. */
  readonly #unconfirmed: StreamEntry[] = [];
  /** The limit that DATA_BLOCKED was asked for last; -1: none. */
  #blockedLimit = -1;
  #repeatAtUs: Micros = NEVER;
  /** 0: the next repetition is the first one. */
  #repeatIntervalUs: Micros = 0;
  #isClosed = false;

  constructor(context: ControlContext) {
    this.#context = context;
  }

  get isDue(): boolean {
    return this.#due !== 0 || this.#head < this.#queue.length;
  }

  /** A bit of {@link ConnectionDue}. */
  request(bit: number): void {
    if (this.#isClosed) return;
    const wasDue = this.isDue;
    this.#due |= bit;
    if (!wasDue) this.#context.events.onWantsToSend();
  }

  /** A bit of {@link StreamDue}. */
  requestFor(entry: StreamEntry, bit: number): void {
    if (this.#isClosed) return;
    entry.due |= bit;
    if (entry.isQueued) return;
    const wasDue = this.isDue;
    entry.isQueued = true;
    this.#queue.push(entry);
    if (!wasDue) this.#context.events.onWantsToSend();
  }

  /** Unsent bytes wait for the stream's credit: tell the peer once per limit. */
  onStreamBlocked(entry: StreamEntry, limit: number): void {
    if (entry.blockedLimit === limit) return;
    entry.blockedLimit = limit;
    this.requestFor(entry, StreamDue.BLOCKED);
  }

  /** Unsent bytes wait for the connection's credit: tell the peer once per limit. */
  onConnectionBlocked(): void {
    const limit = this.#context.credit.limit;
    if (this.#blockedLimit === limit) return;
    this.#blockedLimit = limit;
    this.request(ConnectionDue.BLOCKED);
  }

  /**
   * Feedback leaves: credit that the peer will soon need and may not have rides with it. A lost limit is otherwise found out
   * by what is acknowledged after it, and where the way to the peer carries only feedback and loses much of that, nothing is.
   */
  repeatCredit(): void {
    if (this.#context.window.isPressing) this.request(ConnectionDue.CREDIT);
    const waiting = this.#unconfirmed;
    for (let i = Math.min(waiting.length, REPEATED_MAX); i > 0; i--) {
      const entry = waiting.shift() as StreamEntry;
      const { receive } = entry;
      if (receive?.wantsCredit !== true || receive.window.confirmed === receive.window.limit) {
        entry.isUnconfirmed = false;
        continue;
      }
      waiting.push(entry);
      if (receive.window.isPressing) this.requestFor(entry, StreamDue.CREDIT);
    }
  }

  /** The stream has ended. */
  forget(entry: StreamEntry): void {
    entry.due = 0;
    if (!entry.isUnconfirmed) return;
    entry.isUnconfirmed = false;
    this.#unconfirmed.splice(this.#unconfirmed.indexOf(entry), 1);
  }

  /** A frame has arrived. */
  onAcked(id: number, type: number, value: number): void {
    if (type === FrameType.MAX_DATA) this.#context.window.onConfirmed(value);
    else if (type === FrameType.MAX_STREAM_DATA) {
      this.#context.table.get(id)?.receive?.window.onConfirmed(value);
    }
  }

  /** Credit came: whoever is still blocked starts over with a short interval. */
  onCreditRaised(): void {
    this.#repeatIntervalUs = 0;
  }

  /** Writes what is due and fits. Returns true if anything was written. */
  write(writer: Writer, record: PacketRecord, now: Micros): boolean {
    const begin = writer.at;
    if (this.#due !== 0) this.#writeConnectionFrames(writer, record, now);
    while (this.#head < this.#queue.length) {
      const entry = this.#queue[this.#head] as StreamEntry;
      this.#writeStreamFrames(entry, writer, record, now);
      if (entry.due !== 0) break;
      entry.isQueued = false;
      this.#head++;
    }
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0;
      this.#head = 0;
    }
    return writer.at > begin;
  }

  #writeConnectionFrames(writer: Writer, record: PacketRecord, now: Micros): void {
    const { credit, window, counts, rtt } = this.#context;
    if (this.#takeDue(ConnectionDue.CREDIT, writer)) {
      this.#put(writer, record, FrameType.MAX_DATA, window.advance(now, rtt.smoothedUs));
    }
    if (this.#takeDue(ConnectionDue.BLOCKED, writer) && credit.available === 0) {
      this.#put(writer, record, FrameType.DATA_BLOCKED, credit.limit);
      this.#armRepeat(now);
    }
    for (let kind = 0; kind < COUNTED_KINDS; kind++) {
      const count = counts[kind] as StreamCounts;
      if (this.#takeDue(ConnectionDue.MAX_STREAMS << kind, writer)) {
        this.#put(writer, record, FrameType.MAX_STREAMS_BIDIRECTIONAL + kind, count.advance());
      }
      if (this.#takeDue(ConnectionDue.STREAMS_BLOCKED << kind, writer) && count.isOpenBlocked) {
        this.#put(writer, record, FrameType.STREAMS_BLOCKED_BIDIRECTIONAL + kind, count.openLimit);
        this.#armRepeat(now);
      }
    }
  }

  /** True when the frame is due and fits: then it is due no more. */
  #takeDue(bit: number, writer: Writer): boolean {
    if ((this.#due & bit) === 0 || writer.room < CONTROL_FRAME_BYTES_MAX) return false;
    this.#due &= ~bit;
    return true;
  }

  #put(writer: Writer, record: PacketRecord, type: number, value: number): void {
    writeControlFrame(writer, type, value);
    record.note(TokenKind.STREAM_CONTROL, 0, type, value);
  }

  #writeStreamFrames(entry: StreamEntry, writer: Writer, record: PacketRecord, now: Micros): void {
    const { id, send, receive } = entry;
    if (takeStreamDue(entry, StreamDue.RESET, writer) && send?.resetCode !== undefined && !send.isDone) {
      writeControlFrame(writer, FrameType.RESET_STREAM, id, send.resetCode, send.sentOffset);
      record.note(TokenKind.STREAM_CONTROL, id, FrameType.RESET_STREAM, 0);
    }
    if (takeStreamDue(entry, StreamDue.STOP, writer) && receive?.stopCode !== undefined && !receive.isDone) {
      writeControlFrame(writer, FrameType.STOP_SENDING, id, receive.stopCode);
      record.note(TokenKind.STREAM_CONTROL, id, FrameType.STOP_SENDING, 0);
    }
    if (takeStreamDue(entry, StreamDue.CREDIT, writer) && receive?.wantsCredit === true) {
      const limit = this.#advanceStream(receive.window, now);
      writeControlFrame(writer, FrameType.MAX_STREAM_DATA, id, limit);
      record.note(TokenKind.STREAM_CONTROL, id, FrameType.MAX_STREAM_DATA, limit);
      if (!entry.isUnconfirmed) this.#unconfirmed.push(entry);
      entry.isUnconfirmed = true;
    }
    if (takeStreamDue(entry, StreamDue.BLOCKED, writer) && send?.isStreamBlocked === true) {
      writeControlFrame(writer, FrameType.STREAM_DATA_BLOCKED, id, send.creditLimit);
      record.note(TokenKind.STREAM_CONTROL, id, FrameType.STREAM_DATA_BLOCKED, send.creditLimit);
      this.#armRepeat(now);
    }
  }

  #advanceStream(window: ReceiveWindow, now: Micros): number {
    const limit = window.advance(now, this.#context.rtt.smoothedUs);
    const connection = this.#context.window;
    connection.growTo(Math.ceil(window.sizeBytes * CONNECTION_WINDOW_RATIO));
    if (connection.isUpdateDue) this.request(ConnectionDue.CREDIT);
    return limit;
  }

  /** A frame is lost: due again if it still says what is so. A newer value has a token of its own. */
  onLost(id: number, type: number, value: number): void {
    const { credit, window, counts, table } = this.#context;
    switch (type) {
      case FrameType.MAX_DATA:
        if (value === window.limit) this.request(ConnectionDue.CREDIT);
        return;
      case FrameType.DATA_BLOCKED:
        if (value === credit.limit) this.request(ConnectionDue.BLOCKED);
        return;
      case FrameType.MAX_STREAMS_BIDIRECTIONAL:
      case FrameType.MAX_STREAMS_UNIDIRECTIONAL: {
        const kind = type - FrameType.MAX_STREAMS_BIDIRECTIONAL;
        if (value === counts[kind]?.acceptLimit) this.request(ConnectionDue.MAX_STREAMS << kind);
        return;
      }
      case FrameType.STREAMS_BLOCKED_BIDIRECTIONAL:
      case FrameType.STREAMS_BLOCKED_UNIDIRECTIONAL: {
        const kind = type - FrameType.STREAMS_BLOCKED_BIDIRECTIONAL;
        if (value === counts[kind]?.openLimit) this.request(ConnectionDue.STREAMS_BLOCKED << kind);
        return;
      }
    }
    const entry = table.get(id);
    if (entry !== undefined) this.#onStreamFrameLost(entry, type, value);
  }

  #onStreamFrameLost(entry: StreamEntry, type: number, value: number): void {
    switch (type) {
      case FrameType.RESET_STREAM:
        this.requestFor(entry, StreamDue.RESET);
        return;
      case FrameType.STOP_SENDING:
        this.requestFor(entry, StreamDue.STOP);
        return;
      case FrameType.MAX_STREAM_DATA:
        if (value === entry.receive?.window.limit) this.requestFor(entry, StreamDue.CREDIT);
        return;
      case FrameType.STREAM_DATA_BLOCKED:
        if (value === entry.send?.creditLimit) this.requestFor(entry, StreamDue.BLOCKED);
        return;
    }
  }

  /** The connection is over: nothing is due, now or later. */
  close(): void {
    this.#isClosed = true;
    this.#due = 0;
    this.#queue.length = 0;
    this.#head = 0;
    this.#unconfirmed.length = 0;
    this.#repeatAtUs = NEVER;
  }

  get nextDeadline(): Micros {
    return this.#repeatAtUs;
  }

  #armRepeat(now: Micros): void {
    if (this.#repeatAtUs !== NEVER) return;
    const first = this.#context.rtt.probeTimeoutUs(ACK_DELAY_US);
    this.#repeatIntervalUs =
      this.#repeatIntervalUs === 0 ? first : Math.min(this.#repeatIntervalUs * 2, REPEAT_INTERVAL_MAX);
    this.#repeatAtUs = now + Math.round(this.#repeatIntervalUs);
  }

  /**
   * Tells the peer again who is blocked. Credit frames are resent when lost; this one is for the peer that believes
   * its frame arrived although it did not take effect. Walks all streams, but never more often than a probe timeout.
   */
  handleTimeout(now: Micros): void {
    if (now < this.#repeatAtUs) return;
    this.#repeatAtUs = NEVER;
    const { table, credit, counts } = this.#context;
    let hasUnsent = false;
    let isBlocked = false;
    for (const entry of table.all()) {
      const send = entry.send;
      if (send === undefined || send.unsentBytes === 0) continue;
      hasUnsent = true;
      if (!send.isStreamBlocked) continue;
      isBlocked = true;
      this.requestFor(entry, StreamDue.BLOCKED);
    }
    if (hasUnsent && credit.available === 0) {
      isBlocked = true;
      this.request(ConnectionDue.BLOCKED);
    }
    for (let kind = 0; kind < COUNTED_KINDS; kind++) {
      if (counts[kind]?.isOpenBlocked !== true) continue;
      isBlocked = true;
      this.request(ConnectionDue.STREAMS_BLOCKED << kind);
    }
    if (!isBlocked) this.#repeatIntervalUs = 0;
  }
}

/** True when the frame is due and fits: then it is due no more. */
function takeStreamDue(entry: StreamEntry, bit: number, writer: Writer): boolean {
  if ((entry.due & bit) === 0 || writer.room < CONTROL_FRAME_BYTES_MAX) return false;
  entry.due &= ~bit;
  return true;
}
