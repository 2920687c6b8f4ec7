/**
 * The receiving half of a stream: STREAM frames in, contiguous views out, final size and credit enforced.
 * Source: RFC 9000 §2.2, §3.2, §4, §4.5.
 */
import { WireError } from '../base/errors.ts';
import type { StreamCounters } from './counters.ts';
import { ReceiveWindow, STREAM_WINDOW_MAX } from './flow.ts';
import { Reassembly, type ReassemblyBudget } from './reassembly.ts';
import { checkErrorCode } from './send.ts';

/**
 * Not an error: the frame cannot be taken now (too many gaps). Its packet must be treated as if it had never come
 * and not be acknowledged, so that the peer sends the bytes again.
 */
export const REFUSED = -1;

/** What a receiving half needs from its set. */
export interface ReceiveHost {
  /** The connection's window, shared by all streams. */
  readonly window: ReceiveWindow;
  readonly budget: ReassemblyBudget;
  readonly counters: StreamCounters;
  /** MAX_STREAM_DATA is due. */
  wantsStreamCredit(id: number): void;
  /** The connection's window moved: MAX_DATA may be due. */
  onConsumed(): void;
  wantsStop(id: number): void;
  onReadable(id: number): void;
  onReset(id: number, errorCode: number): void;
  /** All that the peer can still send is known: everything came, or a reset did. */
  onReceived(id: number): void;
  /** Nothing is left to read. */
  onReceiveDone(id: number): void;
}

export class ReceiveStream {
  readonly id: number;
  readonly window: ReceiveWindow;
  readonly #host: ReceiveHost;
  readonly #pieces: Reassembly;
  /** -1: not known yet. */
  #finalSize = -1;
  #resetCode: number | undefined;
  #stopCode: number | undefined;
  #isReceived = false;
  #isDone = false;
  #wantsReadable = true;

  /** Made by a StreamSet only. */
  constructor(id: number, host: ReceiveHost, windowBytes: number) {
    this.id = id;
    this.#host = host;
    this.window = new ReceiveWindow(windowBytes, STREAM_WINDOW_MAX);
    this.#pieces = new Reassembly(host.budget);
  }

  /** Bytes that `read` would give without waiting. */
  get readableBytes(): number {
    return this.#pieces.contiguousEnd - this.#pieces.readOffset;
  }

  /** Bytes held, those beyond gaps included. */
  get bufferedBytes(): number {
    return this.#pieces.bufferedBytes;
  }

  get gapCount(): number {
    return this.#pieces.gapCount;
  }

  /** True when the end was reached and every byte before it was read. False after a reset. */
  get isFinished(): boolean {
    return this.#resetCode === undefined && this.#pieces.readOffset === this.#finalSize;
  }

  /** True when every byte up to the end has arrived: it can be read whatever becomes of the connection. */
  get isComplete(): boolean {
    return this.#resetCode === undefined && this.#pieces.contiguousEnd === this.#finalSize;
  }

  /** The peer's code, once it has reset the stream. */
  get resetCode(): number | undefined {
    return this.#resetCode;
  }

  /** Our code, once `stop` was called. */
  get stopCode(): number | undefined {
    return this.#stopCode;
  }

  /** True when nothing more will come out: read to the end, reset, or stopped and its size known. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** True when all that the peer can still send is known: everything came, or a reset did. */
  get isReceived(): boolean {
    return this.#isReceived;
  }

  /** True while credit is of use to the peer. */
  get wantsCredit(): boolean {
    return this.#finalSize < 0 && this.#stopCode === undefined;
  }

  /**
   * The next contiguous piece: a view of at least one byte, for the caller to read and write. It lies in a datagram with
   * other frames: whoever gives memory away copies it first. Undefined: nothing now; `onReadable` tells when to come back,
   * `isFinished` and `resetCode` whether to.
   */
  read(): Uint8Array | undefined {
    const bytes = this.#pieces.take();
    if (bytes === undefined) {
      this.#wantsReadable = true;
      if (this.isFinished) this.#finish();
      return undefined;
    }
    this.#consume(bytes.length);
    if (this.isFinished) this.#finish();
    return bytes;
  }

  #consume(sizeBytes: number): void {
    this.window.consumed += sizeBytes;
    this.#host.window.consumed += sizeBytes;
    if (this.wantsCredit && this.window.isUpdateDue) this.#host.wantsStreamCredit(this.id);
    this.#host.onConsumed();
  }

  /**
   * Wants no more: what is buffered and what still comes is dropped, and the peer is asked to reset.
   *
   * @param errorCode The application's own, 0..2^53-1.
   */
  stop(errorCode: number): void {
    checkErrorCode(errorCode);
    if (this.#isDone || this.#stopCode !== undefined) return;
    this.#stopCode = errorCode;
    this.#discard();
    if (this.#finalSize >= 0) this.#finish();
    else this.#host.wantsStop(this.id);
  }

  /** Gives the credit of everything received and unread back to the connection. */
  #discard(): void {
    this.#pieces.clear();
    const unread = this.window.received - this.window.consumed;
    this.window.consumed += unread;
    this.#host.window.consumed += unread;
    this.#host.onConsumed();
  }

  #finish(): void {
    if (this.#isDone) return;
    this.#markReceived();
    this.#isDone = true;
    this.#host.onReceiveDone(this.id);
  }

  #markReceived(): void {
    if (this.#isReceived) return;
    this.#isReceived = true;
    this.#host.onReceived(this.id);
  }

  /** @returns 0, {@link REFUSED}, or the WireError to close with. */
  onFrame(offset: number, bytes: Uint8Array, isFin: boolean): number {
    const end = offset + bytes.length;
    const violation = this.#checkSize(end, isFin);
    if (violation !== 0) return violation;
    if (this.#isDone || this.#resetCode !== undefined) return 0;
    if (this.#stopCode !== undefined) return this.#dropFrame(end, isFin);
    if (!this.#pieces.canInsert(offset, end)) return REFUSED;
    this.#charge(end);
    if (isFin) this.#finalSize = end;
    const contiguousBefore = this.#pieces.contiguousEnd;
    const added = this.#pieces.insert(offset, bytes);
    this.#host.counters.receivedBytes += added;
    this.#host.counters.duplicateBytes += bytes.length - added;
    const contiguousEnd = this.#pieces.contiguousEnd;
    const isComplete = contiguousEnd === this.#finalSize;
    if (isComplete) this.#markReceived();
    if (this.#wantsReadable && (contiguousEnd > contiguousBefore || isComplete)) {
      this.#wantsReadable = false;
      this.#host.onReadable(this.id);
    }
    // An empty stream is kept until `read` found its end, or its user might never see it.
    if (end > 0 && this.isFinished) this.#finish();
    return 0;
  }

  /** A frame of a stopped stream: only its size matters. */
  #dropFrame(end: number, isFin: boolean): number {
    this.#charge(end);
    this.#discard();
    if (!isFin) return 0;
    this.#finalSize = end;
    this.#finish();
    return 0;
  }

  /** Final size and credit, RFC 9000 §4.1 and §4.5. `isFinal`: `end` is the final size. */
  #checkSize(end: number, isFinal: boolean): number {
    if (this.#finalSize >= 0) {
      const isWrong = end > this.#finalSize || (isFinal && end !== this.#finalSize);
      if (isWrong) return WireError.FINAL_SIZE_ERROR;
    } else if (isFinal && end < this.window.received) {
      return WireError.FINAL_SIZE_ERROR;
    }
    const more = end - this.window.received;
    if (more <= 0) return 0;
    const connection = this.#host.window;
    const exceeds = end > this.window.limit || connection.received + more > connection.limit;
    return exceeds ? WireError.FLOW_CONTROL_ERROR : 0;
  }

  /** Counts what lies beyond the highest offset so far. `#checkSize` has allowed it. */
  #charge(end: number): void {
    const more = end - this.window.received;
    if (more <= 0) return;
    this.window.received = end;
    this.#host.window.received += more;
  }

  /** RESET_STREAM. @returns 0 or the WireError to close with. */
  onReset(errorCode: number, finalSize: number): number {
    const violation = this.#checkSize(finalSize, true);
    if (violation !== 0) return violation;
    // Everything has arrived: the application may read it all, RFC 9000 §3.2.
    if (this.#isReceived) return 0;
    this.#charge(finalSize);
    this.#finalSize = finalSize;
    this.#resetCode = errorCode;
    this.#discard();
    if (this.#stopCode === undefined) this.#host.onReset(this.id, errorCode);
    this.#finish();
    return 0;
  }
}
