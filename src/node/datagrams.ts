/** App datagrams of one connection: unreliable messages that fit one packet. Names follow WebTransport. */
import { copyBytes } from '../base/bytes.ts';
import type { Micros } from '../base/protocol.ts';
import type { Connection as Core } from '../connection/connection.ts';
import { type DatagramOutcome, INCOMING_DATAGRAMS_MAX } from '../connection/datagrams.ts';
import { datagramFrameSize } from '../wire/stream.ts';
import { AsyncQueue, type Deferred, deferred } from './deferred.ts';
import { inRange } from './in-range.ts';

/** How long a message may wait to be sent. */
const DEFAULT_MAX_AGE_MS = 1000;

/** What is said of one message. */
export interface DatagramOptions {
  /** Milliseconds it may wait before it is dropped unsent, from 0, Infinity too; default 1000. */
  readonly maxAge?: number;
}

/** One sent message. */
export interface SentDatagram {
  /** Fulfilled with what became of it; never rejected. */
  readonly settled: Promise<DatagramOutcome>;
}

export class Datagrams implements AsyncIterable<Uint8Array> {
  readonly #core: Core;
  readonly #wake: () => void;
  readonly #now: () => Micros;
  readonly #pending: Map<number, Deferred<DatagramOutcome>> = new Map();
  readonly #incoming: AsyncQueue<Uint8Array>;
  /** Messages dropped because the application did not read them. */
  droppedIncoming = 0;

  /** @internal Made by a connection only. @param now The clock that the core is served by. */
  constructor(core: Core, wake: () => void, now: () => Micros) {
    this.#core = core;
    this.#wake = wake;
    this.#now = now;
    this.#incoming = new AsyncQueue<Uint8Array>(INCOMING_DATAGRAMS_MAX, () => {
      this.droppedIncoming++;
    });
  }

  /** Largest message that fits one packet now, bytes. */
  get maxDatagramSize(): number {
    return Math.max(0, this.#core.maxSymbolBytes - datagramFrameSize(0) - 1);
  }

  /**
   * Sends a message (copied).
   *
   * @throws RangeError if it does not fit one packet, or for a `maxAge` below 0; TypeError if it is no Uint8Array, or
   * `maxAge` no number.
   */
  send(bytes: Uint8Array, options: DatagramOptions = {}): SentDatagram {
    if (!(bytes instanceof Uint8Array)) throw new TypeError('a datagram is a Uint8Array');
    if (bytes.length > this.maxDatagramSize) {
      throw new RangeError(
        `a datagram of ${bytes.length} bytes does not fit one packet (${this.maxDatagramSize} bytes now)`,
      );
    }
    const { maxAge } = options;
    const maxAgeUs = inRange(maxAge, 'maxAge', 0, Number.POSITIVE_INFINITY, DEFAULT_MAX_AGE_MS) * 1000;
    const settled = deferred<DatagramOutcome>();
    if (!this.#core.isOpen) settled.resolve('dropped');
    else {
      this.#pending.set(this.#core.datagrams.send(bytes, maxAgeUs, this.#now()), settled);
      this.#wake();
    }
    return { settled: settled.promise };
  }

  /** Messages of the peer. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#incoming[Symbol.asyncIterator]();
  }

  /** @internal Copied: the packet has other frames, which must outlive whatever the application does with its own. */
  onDatagram(bytes: Uint8Array): void {
    this.#incoming.push(copyBytes(bytes));
  }

  /** @internal */
  onSettled(id: number, outcome: DatagramOutcome): void {
    this.#pending.get(id)?.resolve(outcome);
    this.#pending.delete(id);
  }

  /** @internal */
  onClosed(): void {
    for (const settled of this.#pending.values()) settled.resolve('dropped');
    this.#pending.clear();
    this.#incoming.end();
  }
}
