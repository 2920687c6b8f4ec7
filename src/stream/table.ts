/** The streams of a connection that have not ended, by ID. The one asked for last is found without a lookup. */
import type { ReceiveStream } from './receive.ts';
import type { SendStream } from './send.ts';
import type { StreamKind } from './stream-id.ts';
import type { Stream } from './types.ts';

/** One stream and the control frames that are due for it. */
export class StreamEntry implements Stream {
  readonly id: number;
  readonly kind: StreamKind;
  readonly isLocal: boolean;
  send: SendStream | undefined = undefined;
  receive: ReceiveStream | undefined = undefined;
  /** Bits of `StreamDue`. */
  due = 0;
  /** True while it waits in the queue of streams with something due. */
  isQueued = false;
  /** True while it is among the streams whose peer may not know the limit announced last. */
  isUnconfirmed = false;
  /** The limit that STREAM_DATA_BLOCKED was asked for last; -1: none. */
  blockedLimit = -1;

  constructor(id: number, kind: StreamKind, isLocal: boolean) {
    this.id = id;
    this.kind = kind;
    this.isLocal = isLocal;
  }

  /** True when every half it has is done. */
  get isDone(): boolean {
    return this.send?.isDone !== false && this.receive?.isDone !== false;
  }
}

export class StreamTable {
  readonly #entries: Map<number, StreamEntry> = new Map();
  #latest: StreamEntry | undefined;

  get count(): number {
    return this.#entries.size;
  }

  get(id: number): StreamEntry | undefined {
    const latest = this.#latest;
    if (latest !== undefined && latest.id === id) return latest;
    const found = this.#entries.get(id);
    if (found !== undefined) this.#latest = found;
    return found;
  }

  add(entry: StreamEntry): void {
    this.#entries.set(entry.id, entry);
  }

  delete(entry: StreamEntry): void {
    this.#entries.delete(entry.id);
    if (this.#latest === entry) this.#latest = undefined;
  }

  /** For rare events only (a new connection limit, the timer of blocked streams). */
  all(): IterableIterator<StreamEntry> {
    return this.#entries.values();
  }
}
