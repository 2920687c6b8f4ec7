/**
 * All streams of one connection. In: frames of the peer, calls of the application, fates of packets. Out: STREAM
 * frames (each sending half is a sender of its own), control frames, events. A frame for a stream that has ended is
 * absorbed. Source: RFC 9000 §2 to §4, §19; stream IDs as in docs/wire-format.md §3.3.
 */
import type { Writer } from '../base/bytes.ts';
import { WireError } from '../base/errors.ts';
import { type Micros, NEVER } from '../base/protocol.ts';
import { checkPriority, type FrameSource, type PacketRecord, type TokenOwner } from '../wire/frame-source.ts';
import { FrameType } from '../wire/frame-types.ts';
import type { StreamFrame } from '../wire/stream.ts';
import { ConnectionDue, StreamControl, StreamDue } from './control.ts';
import type { StreamCounters } from './counters.ts';
import { StreamCounts, TRACK_STREAMS_HELD_MAX } from './counts.ts';
import { CONNECTION_WINDOW_MAX, ReceiveWindow, SendCredit } from './flow.ts';
import { StreamHost } from './host.ts';
import { ReceiveStream } from './receive.ts';
import { SendStream } from './send.ts';
import {
  isServerStream,
  STREAM_COUNT_MAX,
  type StreamKind,
  StreamKindIndex,
  streamId,
  streamKind,
  streamNumber,
} from './stream-id.ts';
import { StreamEntry, StreamTable } from './table.ts';
import type { Stream, StreamLimits, StreamPriority, StreamSetOptions } from './types.ts';

/** Owner of `STREAM_CONTROL` tokens; {@link StreamSet.dataOwner} owns `STREAM` tokens. */
export class StreamSet implements FrameSource {
  /** Gets the tokens of STREAM frames: a = stream ID, b = offset, c = length * 2 + end. */
  readonly dataOwner: TokenOwner;
  readonly #options: StreamSetOptions;
  readonly #table: StreamTable = new StreamTable();
  readonly #counts: readonly StreamCounts[];
  readonly #credit: SendCredit = new SendCredit();
  readonly #window: ReceiveWindow;
  readonly #control: StreamControl;
  readonly #host: StreamHost;
  /** Credit of a stream that is opened from now on. */
  #initialStreamCredit = 0;
  /** Why `#find` found nothing: 0 = the stream has ended, else a WireError. */
  #reason = 0;
  #isClosed = false;

  constructor(options: StreamSetOptions) {
    const { limits, rtt, events } = options;
    this.#options = options;
    this.#counts = [
      new StreamCounts(limits.maxStreamsBidirectional),
      new StreamCounts(limits.maxStreamsUnidirectional),
      new StreamCounts(limits.maxTrackStreams),
    ];
    this.#window = new ReceiveWindow(limits.maxData, CONNECTION_WINDOW_MAX);
    this.#control = new StreamControl({
      table: this.#table,
      counts: this.#counts,
      credit: this.#credit,
      window: this.#window,
      rtt,
      events,
    });
    this.#host = new StreamHost(
      options,
      this.#table,
      this.#counts,
      this.#control,
      this.#credit,
      this.#window,
    );
    const table = this.#table;
    this.dataOwner = {
      onAcked(id: number, offset: number, lengthAndEnd: number): void {
        const isFin = (lengthAndEnd & 1) === 1;
        table.get(id)?.send?.onFrameAcked(offset, (lengthAndEnd - (isFin ? 1 : 0)) / 2, isFin);
      },
      onLost(id: number, offset: number, lengthAndEnd: number): void {
        const isFin = (lengthAndEnd & 1) === 1;
        table.get(id)?.send?.onFrameLost(offset, (lengthAndEnd - (isFin ? 1 : 0)) / 2, isFin);
      },
    };
  }

  /** Streams that have not ended. */
  get count(): number {
    return this.#table.count;
  }

  get counters(): Readonly<StreamCounters> {
    return this.#host.counters;
  }

  /** The peer's limits, once known. Limits never fall. */
  applyPeerParameters(limits: StreamLimits): void {
    this.#initialStreamCredit = Math.max(this.#initialStreamCredit, limits.maxStreamData);
    for (const entry of this.#table.all()) entry.send?.onCredit(this.#initialStreamCredit);
    this.onMaxData(limits.maxData);
    this.#raiseOpenLimit('bidirectional', limits.maxStreamsBidirectional);
    this.#raiseOpenLimit('unidirectional', limits.maxStreamsUnidirectional);
    this.#raiseOpenLimit('track', limits.maxTrackStreams);
  }

  /**
   * Opens a stream. Its receiving half, if it has one, is `get(id).receive`.
   *
   * @returns Undefined while the peer's limit is reached (`onCanOpen` tells when to try again), or after `close`.
   * @throws RangeError for a priority out of range.
   */
  open(kind: StreamKind, priority: StreamPriority = {}): SendStream | undefined {
    const { sendOrder = 0, weight = 1 } = priority;
    checkPriority(sendOrder, weight);
    if (this.#isClosed) return undefined;
    const index = StreamKindIndex[kind];
    const counts = this.#counts[index] as StreamCounts;
    if (counts.opened >= counts.openLimit) {
      if (!counts.isOpenBlocked && kind !== 'track')
        this.#control.request(ConnectionDue.STREAMS_BLOCKED << index);
      counts.isOpenBlocked = true;
      return undefined;
    }
    const id = streamId(kind, counts.opened, this.#options.isServer);
    counts.opened++;
    return this.#create(id, kind, true, sendOrder, weight).send;
  }

  #create(id: number, kind: StreamKind, isLocal: boolean, sendOrder: number, weight: number): StreamEntry {
    const entry = new StreamEntry(id, kind, isLocal);
    if (isLocal || kind === 'bidirectional') {
      entry.send = new SendStream(id, this.#host, this.#initialStreamCredit, sendOrder, weight);
    }
    if (!isLocal || kind === 'bidirectional') {
      entry.receive = new ReceiveStream(id, this.#host, this.#options.limits.maxStreamData);
    }
    this.#table.add(entry);
    return entry;
  }

  /** A stream that has not ended, or undefined. */
  get(id: number): Stream | undefined {
    return this.#table.get(id);
  }

  /** True for an ID that a stream of the peer's with a track may have. */
  mayCarry(id: number): boolean {
    return streamKind(id) === 'track' && isServerStream(id) !== this.#options.isServer;
  }

  /** True once all of a stream of the peer's has arrived, or its reset has. */
  isReceived(id: number): boolean {
    const receive = this.#table.get(id)?.receive;
    if (receive !== undefined) return receive.isReceived;
    const kind = streamKind(id);
    return (
      kind !== undefined && streamNumber(id) < (this.#counts[StreamKindIndex[kind]] as StreamCounts).accepted
    );
  }

  /** The stream that a frame for its receiving (or sending) half speaks of, opened if the peer may. See `#reason`. */
  #find(id: number, isForReceiving: boolean): StreamEntry | undefined {
    this.#reason = 0;
    const entry = this.#table.get(id) ?? this.#accept(id, isForReceiving);
    if (entry !== undefined && (isForReceiving ? entry.receive : entry.send) === undefined) {
      this.#reason = WireError.STREAM_STATE_ERROR;
      return undefined;
    }
    return entry;
  }

  #accept(id: number, isForReceiving: boolean): StreamEntry | undefined {
    const kind = streamKind(id);
    const isLocal = isServerStream(id) === this.#options.isServer;
    const isWrongWay = kind !== 'bidirectional' && isLocal === isForReceiving;
    if (kind === undefined || isWrongWay) return this.#fail(WireError.STREAM_STATE_ERROR);
    const counts = this.#counts[StreamKindIndex[kind]] as StreamCounts;
    const number = streamNumber(id);
    if (isLocal) return number < counts.opened ? undefined : this.#fail(WireError.STREAM_STATE_ERROR);
    if (number >= counts.acceptLimit) return this.#fail(WireError.STREAM_LIMIT_ERROR);
    if (kind === 'track' && number - counts.forgotten >= TRACK_STREAMS_HELD_MAX) {
      return this.#fail(WireError.STREAM_LIMIT_ERROR);
    }
    let entry: StreamEntry | undefined;
    // RFC 9000 §3.2: lower-numbered streams of the kind exist from now on too.
    while (counts.accepted <= number) {
      entry = this.#create(streamId(kind, counts.accepted, !this.#options.isServer), kind, false, 0, 1);
      counts.accepted++;
      if (kind === 'track') this.#options.events.onTrackStreamOpened(entry);
      else this.#options.events.onOpened(entry);
    }
    return entry;
  }

  #fail(reason: number): undefined {
    this.#reason = reason;
    return undefined;
  }

  /** STREAM; takes a view of `frame.bytes`. @returns 0, `REFUSED` (do not acknowledge the packet), or a WireError. */
  onStreamFrame(frame: StreamFrame): number {
    const receive = this.#find(frame.streamId, true)?.receive;
    return receive === undefined ? this.#reason : receive.onFrame(frame.offset, frame.bytes, frame.isFin);
  }

  /** RESET_STREAM. @returns 0 or a WireError, as all handlers below. */
  onResetStream(id: number, errorCode: number, finalSize: number): number {
    const receive = this.#find(id, true)?.receive;
    return receive === undefined ? this.#reason : receive.onReset(errorCode, finalSize);
  }

  /** STOP_SENDING: answered by a reset with the same code, RFC 9000 §3.5. */
  onStopSending(id: number, errorCode: number): number {
    const send = this.#find(id, false)?.send;
    if (send === undefined) return this.#reason;
    if (send.isDone || send.resetCode !== undefined) return 0;
    send.reset(errorCode);
    this.#options.events.onStopped(id, errorCode);
    return 0;
  }

  onMaxData(limit: number): number {
    const wasExhausted = this.#credit.available === 0;
    if (!this.#credit.raise(limit)) return 0;
    this.#control.onCreditRaised();
    // The scheduler forgot all that had no credit. A walk, but once per window at the most.
    if (wasExhausted) for (const entry of this.#table.all()) entry.send?.onConnectionCredit();
    return 0;
  }

  onMaxStreamData(id: number, limit: number): number {
    const send = this.#find(id, false)?.send;
    if (send === undefined) return this.#reason;
    if (send.onCredit(limit)) this.#control.onCreditRaised();
    return 0;
  }

  onMaxStreams(isBidirectional: boolean, limit: number): number {
    if (limit > STREAM_COUNT_MAX) return WireError.FRAME_ENCODING_ERROR;
    this.#raiseOpenLimit(isBidirectional ? 'bidirectional' : 'unidirectional', limit);
    return 0;
  }

  #raiseOpenLimit(kind: StreamKind, limit: number): void {
    const counts = this.#counts[StreamKindIndex[kind]] as StreamCounts;
    if (!counts.raiseOpenLimit(limit) || !counts.isOpenBlocked) return;
    counts.isOpenBlocked = false;
    this.#control.onCreditRaised();
    this.#options.events.onCanOpen(kind);
  }

  /** DATA_BLOCKED: answered if the peer does not know the newest limit, or a newer one is possible. */
  onDataBlocked(limit: number): number {
    if (limit < this.#window.limit || this.#window.canRise) this.#control.request(ConnectionDue.CREDIT);
    return 0;
  }

  onStreamDataBlocked(id: number, limit: number): number {
    const entry = this.#find(id, true);
    const receive = entry?.receive;
    if (entry === undefined || receive === undefined) return this.#reason;
    const { window } = receive;
    if (receive.wantsCredit && (limit < window.limit || window.canRise)) {
      this.#control.requestFor(entry, StreamDue.CREDIT);
    }
    return 0;
  }

  onStreamsBlocked(isBidirectional: boolean, limit: number): number {
    if (limit > STREAM_COUNT_MAX) return WireError.FRAME_ENCODING_ERROR;
    const index = isBidirectional ? StreamKindIndex.bidirectional : StreamKindIndex.unidirectional;
    const counts = this.#counts[index] as StreamCounts;
    if (limit < counts.acceptLimit || counts.canRise)
      this.#control.request(ConnectionDue.MAX_STREAMS << index);
    return 0;
  }

  wantsToSend(_now: Micros): boolean {
    return this.#control.isDue;
  }

  /** Feedback leaves with the packet that is written next. */
  onFeedback(): void {
    this.#control.repeatCredit();
  }

  writeFrames(writer: Writer, record: PacketRecord, now: Micros): boolean {
    return this.#control.write(writer, record, now);
  }

  /** A control frame arrived: a = stream ID, b = frame type, c = the value it announced. */
  onAcked(id: number, type: number, value: number): void {
    if (type === FrameType.RESET_STREAM) this.#table.get(id)?.send?.onResetAcked();
    else this.#control.onAcked(id, type, value);
  }

  onLost(id: number, type: number, value: number): void {
    this.#control.onLost(id, type, value);
  }

  /** Bytes that have arrived and were not read, those beyond gaps included. */
  get waitingBytes(): number {
    return this.#window.received - this.#window.consumed;
  }

  /** True while something to be sent waits for credit: the peer's application does not read. */
  get isBlocked(): boolean {
    return this.#control.nextDeadline !== NEVER;
  }

  /** When a blocked sender tells the peer again; NEVER if none is. */
  nextDeadline(): Micros {
    return this.#control.nextDeadline;
  }

  handleTimeout(now: Micros): void {
    this.#control.handleTimeout(now);
  }

  /** The connection is over: nothing is sent any more; what has arrived can still be read. No events. */
  close(): void {
    this.#isClosed = true;
    this.#control.close();
    for (const { send } of this.#table.all()) {
      if (send === undefined) continue;
      send.abandon();
      this.#options.deactivate(send);
    }
  }
}
