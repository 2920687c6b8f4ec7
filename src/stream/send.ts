/**
 * The sending half of a stream: bytes in, STREAM frames out, lost bytes again before new ones.
 * Cost per packet does not depend on how much is in flight. Source: RFC 9000 §2.2, §3.1, §4, §13.3.
 */
import type { Writer } from '../base/bytes.ts';
import type { Micros } from '../base/protocol.ts';
import { Ranges } from '../base/ranges.ts';
import { type PacketRecord, type Sender, TokenKind } from '../wire/frame-source.ts';
import { streamHeaderSize, writeStreamHeader } from '../wire/stream.ts';
import type { StreamCounters } from './counters.ts';
import { SendCredit } from './flow.ts';
import { type ChunkPool, SendBuffer } from './send-buffer.ts';

/** Bytes written but never sent that one stream holds: 4 ms at 1 Gbit/s, and no more delay than that on a slow path. */
export const UNSENT_BYTES_MAX: number = 512 * 1024;
/** Bytes one stream holds in all, sent and unacknowledged ones included: the largest window a path can use. */
export const SEND_BUFFER_BYTES_MAX: number = 32 * 1024 * 1024;
/** After a short write, `onWritable` waits for this much room, so that writers wake rarely. */
const WRITABLE_LOW_BYTES: number = UNSENT_BYTES_MAX / 2;
/** Less than this is not worth a frame of its own at the end of a packet. */
const PIECE_BYTES_MIN = 128;

/** What a sending half needs from its set. */
export interface SendHost {
  /** The connection's credit, shared by all streams. */
  readonly credit: SendCredit;
  readonly chunks: ChunkPool;
  readonly counters: StreamCounters;
  activate(stream: SendStream): void;
  /** RESET_STREAM is due. */
  wantsReset(id: number): void;
  /** Unsent bytes wait for the stream's own credit (called again and again while that is so: cheap). */
  onStreamBlocked(id: number): void;
  /** Unsent bytes wait for the connection's credit (likewise). */
  onConnectionBlocked(): void;
  onWritable(id: number): void;
  /** Nothing will ever be sent again. `isFinished`: everything was acknowledged; false after a reset. */
  onSendDone(id: number, isFinished: boolean): void;
}

export class SendStream implements Sender {
  readonly id: number;
  /** Read when the stream is scheduled first. */
  sendOrder: number;
  weight: number;
  readonly #host: SendHost;
  readonly #buffer: SendBuffer;
  /** This stream's own credit; `used` is the exclusive end of what was ever sent. */
  readonly #credit: SendCredit = new SendCredit();
  /** Everything below is acknowledged. */
  #ackedOffset = 0;
  /** Acknowledged above `#ackedOffset`. */
  readonly #acked: Ranges = new Ranges();
  readonly #lost: Ranges = new Ranges();
  #isFinishing = false;
  /** The end must be told, or told again. */
  #isFinDue = false;
  #isFinAcked = false;
  #resetCode: number | undefined;
  /** Reset, or the connection is over: the bytes are gone. */
  #isAbandoned = false;
  #isDone = false;
  #wantsWritable = false;
  /** Somebody waits until everything below is acknowledged; Infinity: nobody does. */
  #wantedOffset: number = Number.POSITIVE_INFINITY;

  /** Made by a StreamSet only. */
  constructor(id: number, host: SendHost, creditBytes: number, sendOrder: number, weight: number) {
    this.id = id;
    this.#host = host;
    this.#buffer = new SendBuffer(host.chunks);
    this.#credit.limit = creditBytes;
    this.sendOrder = sendOrder;
    this.weight = weight;
  }

  /** Bytes written and not yet acknowledged. */
  get bufferedBytes(): number {
    return this.#isAbandoned ? 0 : this.#buffer.end - this.#ackedOffset;
  }

  /** Bytes written and never sent; 0 once given up. */
  get unsentBytes(): number {
    return this.#isAbandoned ? 0 : this.#buffer.end - this.#credit.used;
  }

  /** How many bytes `write` takes now; 0 once finished or reset. */
  get writableBytes(): number {
    if (this.#isFinishing || this.#isAbandoned) return 0;
    return Math.max(
      0,
      Math.min(UNSENT_BYTES_MAX - this.unsentBytes, SEND_BUFFER_BYTES_MAX - this.bufferedBytes),
    );
  }

  /** Every byte below is acknowledged. */
  get ackedOffset(): number {
    return this.#ackedOffset;
  }

  /** `onWritable` comes once, too, when every byte below `offset` is acknowledged. Infinity: it does not. */
  tellWhenAcked(offset: number): void {
    this.#wantedOffset = offset;
  }

  /** Bytes ever accepted by `write`. */
  get writtenBytes(): number {
    return this.#buffer.end;
  }

  /** Set after `reset`, or after the peer's STOP_SENDING. */
  get resetCode(): number | undefined {
    return this.#resetCode;
  }

  /** True when nothing will be sent any more: all acknowledged, or the reset is. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** True when unsent bytes wait for credit of the stream itself. */
  get isStreamBlocked(): boolean {
    return this.unsentBytes > 0 && this.#credit.available === 0;
  }

  /** What the peer lets this stream send, cumulative bytes. */
  get creditLimit(): number {
    return this.#credit.limit;
  }

  /** Bytes sent at least once: the final size if the stream were reset now. */
  get sentOffset(): number {
    return this.#credit.used;
  }

  /**
   * Takes as many bytes of `bytes` as there is room for, from its beginning, and copies them.
   *
   * @returns Bytes taken. Fewer than given: go on with the rest after `onWritable`. 0 after a reset, or
   *   when the connection is over.
   * @throws TypeError when `bytes` is no Uint8Array or the stream was finished.
   */
  write(bytes: Uint8Array): number {
    if (!(bytes instanceof Uint8Array)) throw new TypeError('a stream takes a Uint8Array');
    if (this.#isFinishing) throw new TypeError('write after the end of the stream');
    if (this.#isAbandoned) return 0;
    const room = this.writableBytes;
    const size = Math.min(room, bytes.length);
    if (size < bytes.length) this.#wantsWritable = true;
    if (size === 0) return 0;
    this.#buffer.append(size === bytes.length ? bytes : bytes.subarray(0, size));
    this.#noteBlocked();
    this.#host.activate(this);
    return size;
  }

  /** No more bytes: the end follows the last one. Idempotent. */
  finish(): void {
    if (this.#isFinishing || this.#isAbandoned) return;
    this.#isFinishing = true;
    this.#isFinDue = true;
    this.#host.activate(this);
  }

  /**
   * Gives up: nothing more is sent or resent. Without effect once everything is acknowledged.
   *
   * @param errorCode The application's own, 0..2^53-1.
   */
  reset(errorCode: number): void {
    checkErrorCode(errorCode);
    if (this.#isDone || this.#isAbandoned) return;
    this.#resetCode = errorCode;
    this.abandon();
    this.#host.wantsReset(this.id);
  }

  /** Drops every byte, without a word to the peer: the connection is over (its set calls this). */
  abandon(): void {
    this.#isAbandoned = true;
    this.#buffer.clear();
    this.#lost.clear();
    this.#acked.clear();
    this.#isFinDue = false;
  }

  hasData(_now: Micros): boolean {
    if (this.#lost.count > 0) return true;
    if (this.unsentBytes === 0) return this.#isFinDue;
    if (this.#credit.available > 0 && this.#host.credit.available > 0) return true;
    this.#noteBlocked();
    return false;
  }

  #noteBlocked(): void {
    if (this.unsentBytes === 0) return;
    if (this.#credit.available === 0) this.#host.onStreamBlocked(this.id);
    else if (this.#host.credit.available === 0) this.#host.onConnectionBlocked();
  }

  /** `writer.end` must be the end of the packet: the last frame of a packet has no length. */
  writeFrame(writer: Writer, record: PacketRecord, now: Micros): number {
    if (!this.hasData(now)) return 0;
    if (this.#lost.count > 0) {
      const offset = this.#lost.start(0);
      const available = this.#lost.end(0) - offset;
      const begin = writer.at;
      const length = this.#writeStream(writer, record, offset, available);
      if (length < 0) return 0;
      this.#lost.remove(offset, offset + length);
      this.#host.counters.resentBytes += length;
      return writer.at - begin;
    }
    return this.#writeNew(writer, record);
  }

  #writeNew(writer: Writer, record: PacketRecord): number {
    const credit = this.#host.credit;
    const offset = this.#credit.used;
    const available = Math.min(this.unsentBytes, this.#credit.available, credit.available);
    const begin = writer.at;
    const length = this.#writeStream(writer, record, offset, available);
    if (length < 0) return 0;
    this.#credit.used += length;
    credit.used += length;
    this.#host.counters.sentBytes += length;
    this.#noteBlocked();
    this.#wakeWriter();
    return writer.at - begin;
  }

  /** Writes up to `available` bytes from `offset`. Returns how many; -1 if it is not worth a frame here. */
  #writeStream(writer: Writer, record: PacketRecord, offset: number, available: number): number {
    const space = writer.room - streamHeaderSize(this.id, offset, -1);
    if (space < 0 || (space < available && space < PIECE_BYTES_MIN)) return -1;
    const length = Math.min(space, available);
    const isFin = this.#isFinishing && offset + length === this.#buffer.end;
    if (length === space) {
      writeStreamHeader(writer, this.id, offset, -1, isFin);
    } else if (streamHeaderSize(this.id, offset, length) + length <= writer.room) {
      writeStreamHeader(writer, this.id, offset, length, isFin);
    } else {
      // All bytes fit, but not with their length: PADDING before the frame makes it end with the packet.
      writer.zeros(space - length);
      writeStreamHeader(writer, this.id, offset, -1, isFin);
    }
    if (length > 0) this.#buffer.copyTo(writer, offset, length);
    if (isFin) this.#isFinDue = false;
    record.note(TokenKind.STREAM, this.id, offset, length * 2 + (isFin ? 1 : 0));
    return length;
  }

  #wakeWriter(): void {
    const hasRoom = this.#wantsWritable && this.writableBytes >= WRITABLE_LOW_BYTES;
    if (!hasRoom && this.#ackedOffset < this.#wantedOffset) return;
    if (hasRoom) this.#wantsWritable = false;
    this.#wantedOffset = Number.POSITIVE_INFINITY;
    this.#host.onWritable(this.id);
  }

  /** A frame with [offset, offset + length) arrived. May come twice, and after `onFrameLost`. */
  onFrameAcked(offset: number, length: number, isFin: boolean): void {
    if (this.#isDone || this.#isAbandoned) return;
    if (isFin) {
      this.#isFinAcked = true;
      this.#isFinDue = false;
    }
    const end = offset + length;
    if (this.#lost.count > 0) this.#lost.remove(offset, end);
    if (offset > this.#ackedOffset) this.#acked.add(offset, end);
    else if (end > this.#ackedOffset) this.#moveAckedOffset(end);
    if (this.#isFinAcked && this.#ackedOffset === this.#buffer.end) {
      this.#isDone = true;
      this.#host.onSendDone(this.id, true);
    } else {
      this.#wakeWriter();
    }
  }

  #moveAckedOffset(end: number): void {
    const acked = this.#acked;
    let floor = end;
    if (acked.count > 0) {
      // Ranges are disjoint and not adjacent: at most the ones below and the one that touches `end` go.
      acked.add(this.#ackedOffset, end);
      floor = acked.end(0);
      acked.removeBelow(floor);
    }
    this.#ackedOffset = floor;
    if (this.#lost.count > 0) this.#lost.removeBelow(floor);
    this.#buffer.release(floor);
  }

  /** The packet with that frame is taken to be lost. */
  onFrameLost(offset: number, length: number, isFin: boolean): void {
    if (this.#isDone || this.#isAbandoned) return;
    if (isFin && !this.#isFinAcked) this.#isFinDue = true;
    const start = Math.max(offset, this.#ackedOffset);
    const end = offset + length;
    if (start < end && !this.#acked.covers(start, end)) this.#lost.add(start, end);
    this.#host.activate(this);
  }

  /** MAX_STREAM_DATA. Returns true if the limit rose. */
  onCredit(limit: number): boolean {
    if (!this.#credit.raise(limit)) return false;
    if (this.unsentBytes > 0) this.#host.activate(this);
    return true;
  }

  /** The connection's credit rose from nothing. */
  onConnectionCredit(): void {
    if (this.unsentBytes > 0) this.#host.activate(this);
  }

  /** The peer has our RESET_STREAM. */
  onResetAcked(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#host.onSendDone(this.id, false);
  }
}

/** @throws RangeError unless it is an integer that a varint carries. */
export function checkErrorCode(errorCode: number): void {
  if (!Number.isSafeInteger(errorCode) || errorCode < 0) {
    throw new RangeError(`an error code is an integer from 0 to 2^53-1, not ${errorCode}`);
  }
}
