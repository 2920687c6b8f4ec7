/** WHATWG views of a stream's halves, made when they are asked for. Back-pressure goes both ways. */
import { ReadableStream, type ReadableStreamDefaultController, WritableStream } from 'node:stream/web';
import { TransportError } from '../base/errors.ts';
import type { ReceiveStream } from '../stream/receive.ts';
import type { SendStream } from '../stream/send.ts';
import { type Deferred, deferred } from './deferred.ts';

/** A stream error as WebTransport has it: `AbortReason` may carry the code for RESET_STREAM or STOP_SENDING. */
function codeOf(reason: unknown): number {
  const code = (reason as { streamErrorCode?: unknown } | null | undefined)?.streamErrorCode;
  return typeof code === 'number' && Number.isSafeInteger(code) && code >= 0 ? code : 0;
}

/** `WritableStreamDefaultController`, whose signal Node's types leave out. */
interface WritingController {
  readonly signal: AbortSignal;
  error(reason: unknown): void;
}

/** The writing half. */
export class StreamWriter {
  readonly writable: WritableStream<Uint8Array>;
  readonly #stream: SendStream;
  readonly #wake: () => void;
  #room: Deferred<void> | undefined;
  #finished: Deferred<void> | undefined;
  #controller!: WritingController;
  #failure: unknown;

  constructor(stream: SendStream, wake: () => void) {
    this.#stream = stream;
    this.#wake = wake;
    this.writable = new WritableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller as unknown as WritingController;
        const { signal } = this.#controller;
        signal.addEventListener('abort', () => this.#onAbort(signal.reason));
      },
      write: (chunk) => this.#write(chunk),
      close: () => this.#close(),
    });
  }

  /** By the signal, not by the `abort` of a sink: that waits for the write, or the close, that is to be given up. */
  #onAbort(reason: unknown): void {
    this.#stream.reset(codeOf(reason));
    this.#wake();
    this.#fail(reason);
  }

  async #write(chunk: Uint8Array): Promise<void> {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a stream takes Uint8Array chunks');
    let rest = chunk;
    for (;;) {
      const taken = this.#stream.write(rest);
      this.#wake();
      if (taken === rest.length) return;
      if (this.#failure !== undefined) throw this.#failure;
      rest = rest.subarray(taken);
      this.#room = deferred<void>();
      await this.#room.promise;
    }
  }

  /** Fulfilled when the peer has everything, its end included. */
  #close(): Promise<void> {
    this.#stream.finish();
    this.#wake();
    this.#finished ??= deferred<void>();
    return this.#finished.promise;
  }

  onWritable(): void {
    this.#room?.resolve();
  }

  onFinished(): void {
    this.#finished ??= deferred<void>();
    this.#finished.resolve();
  }

  /** The peer wants no more, or the connection is over. */
  onFailed(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#fail(error);
    this.#controller.error(error);
  }

  /** Whoever waits waits in vain. */
  #fail(error: unknown): void {
    this.#failure = error;
    this.#room?.reject(error);
    this.#finished?.reject(error);
  }
}

/**
 * What has arrived is handed out in chunks of up to so much: a WHATWG chunk costs more than to copy 1200 bytes
 * (ARCHITECTURE.md), and a copy lets go of the datagrams that the pieces lie in, and is the application's alone.
 */
const CHUNK_BYTES_MAX = 65_536;

/** The reading half. */
export class StreamReader {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #stream: ReceiveStream;
  readonly #wake: () => void;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #data: Deferred<void> | undefined;
  #isOver = false;
  /** The connection is over: why, for whoever has read all that came before. */
  #failure: unknown;
  /** What did not fit the last chunk. */
  #rest: Uint8Array | undefined;

  constructor(stream: ReceiveStream, wake: () => void) {
    this.#stream = stream;
    this.#wake = wake;
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller as ReadableStreamDefaultController<Uint8Array>;
        },
        pull: () => this.#pull(),
        cancel: (reason) => {
          this.#isOver = true;
          this.#stream.stop(codeOf(reason));
          this.#wake();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** All that is there, up to a chunk. */
  #read(): Uint8Array | undefined {
    let piece = this.#rest ?? this.#stream.read();
    this.#rest = undefined;
    if (piece === undefined) return undefined;
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES_MAX, piece.length + this.#stream.readableBytes));
    let filled = 0;
    while (piece !== undefined) {
      const size = Math.min(piece.length, chunk.length - filled);
      chunk.set(size === piece.length ? piece : piece.subarray(0, size), filled);
      filled += size;
      if (size < piece.length) this.#rest = piece.subarray(size);
      piece = filled === chunk.length ? undefined : this.#stream.read();
    }
    return chunk;
  }

  async #pull(): Promise<void> {
    for (;;) {
      const bytes = this.#read();
      this.#wake();
      if (bytes !== undefined) {
        this.#controller.enqueue(bytes);
        return;
      }
      if (this.#isOver) return;
      if (this.#stream.isFinished) {
        this.#isOver = true;
        this.#controller.close();
        return;
      }
      if (this.#failure !== undefined) {
        this.onFailed(this.#failure);
        return;
      }
      this.#data = deferred<void>();
      await this.#data.promise;
    }
  }

  onReadable(): void {
    this.#data?.resolve();
  }

  /** The connection is over: what has arrived in order can be read, and the end of the stream if that has come too. */
  onClosed(error: unknown): void {
    const isReadable = this.#rest !== undefined || this.#stream.readableBytes > 0;
    if (!isReadable && !this.#stream.isComplete) {
      this.onFailed(error);
      return;
    }
    this.#failure = error;
    this.#data?.resolve();
  }

  /** The peer has reset the stream. What was not read yet is gone. */
  onFailed(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#data?.resolve();
    this.#controller.error(error);
  }
}

/** What a reader gets when the peer reset its stream. */
export function resetError(errorCode: number): TransportError {
  return new TransportError('ERR_MILLRACE_STREAM_RESET', `the peer reset the stream (code ${errorCode})`, {
    wireCode: errorCode,
  });
}

/** What a writer gets when the peer wants no more. */
export function stoppedError(errorCode: number): TransportError {
  return new TransportError(
    'ERR_MILLRACE_STREAM_STOPPED',
    `the peer stopped reading the stream (code ${errorCode})`,
    {
      wireCode: errorCode,
    },
  );
}
