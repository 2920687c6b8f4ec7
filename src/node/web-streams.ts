/** WHATWG views of a stream's halves, made when they are asked for. Back-pressure goes both ways. */
import { ReadableStream, WritableStream } from 'node:stream/web';
import { TransportError } from '../base/errors.ts';
import type { ReceiveStream } from '../stream/receive.ts';
import type { SendStream } from '../stream/send.ts';
import { type Deferred, deferred } from './deferred.ts';

/** A stream error as WebTransport has it: `AbortReason` may carry the code for RESET_STREAM or STOP_SENDING. */
function codeOf(reason: unknown): number {
  const code = (reason as { streamErrorCode?: unknown } | null | undefined)?.streamErrorCode;
  return typeof code === 'number' && Number.isInteger(code) && code >= 0 ? code : 0;
}

/** The writing half. */
export class StreamWriter {
  readonly writable: WritableStream<Uint8Array>;
  readonly #stream: SendStream;
  readonly #wake: () => void;
  #room: Deferred<void> | undefined;
  #finished: Deferred<void> | undefined;
  #controller!: { error(reason: unknown): void };
  #failure: unknown;

  constructor(stream: SendStream, wake: () => void) {
    this.#stream = stream;
    this.#wake = wake;
    this.writable = new WritableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      write: (chunk) => this.#write(chunk),
      close: () => this.#close(),
      abort: (reason) => {
        this.#stream.reset(codeOf(reason));
        this.#wake();
      },
    });
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
    this.#failure = error;
    this.#room?.reject(error);
    this.#finished?.reject(error);
    this.#controller.error(error);
  }
}

/** The reading half. */
export class StreamReader {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #stream: ReceiveStream;
  readonly #wake: () => void;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #data: Deferred<void> | undefined;
  #isOver = false;

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

  async #pull(): Promise<void> {
    for (;;) {
      const bytes = this.#stream.read();
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
      this.#data = deferred<void>();
      await this.#data.promise;
    }
  }

  onReadable(): void {
    this.#data?.resolve();
  }

  /** The peer has reset the stream, or the connection is over. What was not read yet is gone. */
  onFailed(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#data?.resolve();
    this.#controller.error(error);
  }
}

/** Controllers of the standard's default readers; Node's types name them only under `node:stream/web`. */
type ReadableStreamDefaultController<T> = import('node:stream/web').ReadableStreamDefaultController<T>;

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
