/** The streams of one connection as applications see them: WHATWG halves by stream ID, and those that the peer opened. */
import type { ReadableStream, WritableStream } from 'node:stream/web';
import { TransportError } from '../base/errors.ts';
import type { Connection as Core } from '../connection/connection.ts';
import type { ConnectionEvent } from '../connection/events.ts';
import type { Stream } from '../stream/types.ts';
import { AsyncQueue } from './deferred.ts';
import { resetError, StreamReader, StreamWriter, stoppedError } from './web-streams.ts';

/** Both halves of a stream. */
export interface BidirectionalStream {
  readonly id: number;
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** How a stream competes with tracks and other streams. */
export interface StreamOptions {
  /** Higher goes first; default 0. */
  readonly sendOrder?: number;
  /** Share among equals, 1..255; default 1. */
  readonly weight?: number;
}

export class Streams {
  readonly incomingBidirectional: AsyncQueue<BidirectionalStream> = new AsyncQueue<BidirectionalStream>();
  readonly incomingUnidirectional: AsyncQueue<ReadableStream<Uint8Array>> = new AsyncQueue<
    ReadableStream<Uint8Array>
  >();
  readonly #core: Core;
  readonly #wake: () => void;
  /** Halves of the streams that the core holds. */
  readonly #readers: Map<number, StreamReader> = new Map();
  readonly #writers: Map<number, StreamWriter> = new Map();

  constructor(core: Core, wake: () => void) {
    this.#core = core;
    this.#wake = wake;
  }

  createBidirectional(options: StreamOptions): BidirectionalStream {
    const sender = this.#core.streams.open('bidirectional', options);
    if (sender === undefined) throw limitError('bidirectional');
    return this.#bidirectional(this.#core.streams.get(sender.id) as Stream);
  }

  createUnidirectional(options: StreamOptions): WritableStream<Uint8Array> {
    const sender = this.#core.streams.open('unidirectional', options);
    if (sender === undefined) throw limitError('unidirectional');
    const writer = new StreamWriter(sender, this.#wake);
    this.#writers.set(sender.id, writer);
    return writer.writable;
  }

  #bidirectional(stream: Stream): BidirectionalStream {
    const reader = new StreamReader(stream.receive as NonNullable<typeof stream.receive>, this.#wake);
    const writer = new StreamWriter(stream.send as NonNullable<typeof stream.send>, this.#wake);
    this.#readers.set(stream.id, reader);
    this.#writers.set(stream.id, writer);
    return { id: stream.id, readable: reader.readable, writable: writer.writable };
  }

  /** Takes what concerns a stream. */
  onEvent(event: ConnectionEvent): void {
    switch (event.type) {
      case 'stream':
        this.#onOpened(event.streamId);
        return;
      case 'stream-readable':
        this.#readers.get(event.streamId)?.onReadable();
        return;
      case 'stream-writable':
        this.#writers.get(event.streamId)?.onWritable();
        return;
      case 'stream-reset':
        this.#readers.get(event.streamId)?.onFailed(resetError(event.errorCode));
        return;
      case 'stream-stopped':
        this.#writers.get(event.streamId)?.onFailed(stoppedError(event.errorCode));
        return;
      case 'stream-finished':
        this.#writers.get(event.streamId)?.onFinished();
        return;
      case 'stream-ended':
        this.#forget(event.streamId);
        return;
      default:
    }
  }

  /** The core holds the stream no more, and so do we: what waits to be taken is bounded by the limits of streams. */
  #forget(streamId: number): void {
    const readable = this.#readers.get(streamId)?.readable;
    this.incomingBidirectional.remove((stream) => stream.id === streamId);
    this.incomingUnidirectional.remove((waiting) => waiting === readable);
    this.#readers.delete(streamId);
    this.#writers.delete(streamId);
  }

  #onOpened(streamId: number): void {
    const stream = this.#core.streams.get(streamId);
    if (stream === undefined) return;
    if (stream.kind === 'bidirectional') {
      this.incomingBidirectional.push(this.#bidirectional(stream));
      return;
    }
    if (stream.receive === undefined) return;
    const reader = new StreamReader(stream.receive, this.#wake);
    this.#readers.set(streamId, reader);
    this.incomingUnidirectional.push(reader.readable);
  }

  /** The connection is over: what has arrived may still be read. */
  onClosed(error: TransportError): void {
    for (const reader of this.#readers.values()) reader.onClosed(error);
    for (const writer of this.#writers.values()) writer.onFailed(error);
    this.#readers.clear();
    this.#writers.clear();
    this.incomingBidirectional.end();
    this.incomingUnidirectional.end();
  }
}

function limitError(kind: string): TransportError {
  return new TransportError('ERR_MILLRACE_LIMIT', `the peer allows no more ${kind} streams; end one first`);
}
