/** A promise with its resolvers outside, and a queue that is read with `for await`: the low-rate side of the API. */

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** `Promise.withResolvers`, which Node 20 lacks. */
export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

interface Reader {
  hasLeft: boolean;
}

/** What a reader was promised. */
interface Waiting<T> extends Deferred<IteratorResult<T>> {
  readonly reader: Reader;
}

/** Items in order for one consumer at a time. Ends cleanly, or with an error after the last item. */
export class AsyncQueue<T> implements AsyncIterable<T> {
  #items: T[] = [];
  #waiting: Waiting<T>[] = [];
  #isEnded = false;
  #error: unknown;
  /** Beyond this the oldest item is handed to `onOverflow` and forgotten. */
  readonly #max: number;
  readonly #onOverflow: (item: T) => void;

  constructor(max: number = Number.POSITIVE_INFINITY, onOverflow: (item: T) => void = () => {}) {
    this.#max = max;
    this.#onOverflow = onOverflow;
  }

  push(item: T): void {
    if (this.#isEnded) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting.resolve({ value: item, done: false });
      return;
    }
    this.#items.push(item);
    if (this.#items.length > this.#max) this.#onOverflow(this.#items.shift() as T);
  }

  /** An item that waits is not wanted any more. */
  remove(isUnwanted: (item: T) => boolean): void {
    const at = this.#items.findIndex(isUnwanted);
    if (at >= 0) this.#items.splice(at, 1);
  }

  /** No more items. With an error, whoever reads on gets it once. */
  end(error?: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    for (const waiting of this.#waiting.splice(0)) this.#finish(waiting);
  }

  #finish(waiting: Deferred<IteratorResult<T>>): void {
    const error = this.#error;
    this.#error = undefined;
    if (error === undefined) waiting.resolve({ value: undefined, done: true });
    else waiting.reject(error);
  }

  #next(reader: Reader): Promise<IteratorResult<T>> {
    if (reader.hasLeft) return Promise.resolve({ value: undefined, done: true });
    const waiting = { ...deferred<IteratorResult<T>>(), reader };
    const item = this.#items.shift();
    if (item !== undefined) waiting.resolve({ value: item, done: false });
    else if (this.#isEnded) this.#finish(waiting);
    else this.#waiting.push(waiting);
    return waiting.promise;
  }

  /** One reader. `return`, which leaving a `for await` calls, ends it alone: what it waits for goes to the next. */
  [Symbol.asyncIterator](): AsyncIterator<T> {
    const reader: Reader = { hasLeft: false };
    return {
      next: () => this.#next(reader),
      return: () => {
        reader.hasLeft = true;
        const left = this.#waiting.filter((waiting) => waiting.reader === reader);
        this.#waiting = this.#waiting.filter((waiting) => waiting.reader !== reader);
        for (const waiting of left) waiting.resolve({ value: undefined, done: true });
        return Promise.resolve({ value: undefined, done: true });
      },
    };
  }
}
