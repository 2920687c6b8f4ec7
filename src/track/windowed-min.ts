/** The least sample of the last 10 to 20 seconds, in two buckets. Source: windowed filters of BBR, kept to two numbers. */
import { type Micros, NEVER, SECOND } from '../base/protocol.ts';

const BUCKET_US = 10 * SECOND;

/** See the file header. */
export class WindowedMin {
  #current = NEVER;
  #previous = NEVER;
  #bucketEndsUs: Micros = 0;

  /** NEVER before the first sample; the last known one after a silence. */
  get value(): number {
    return Math.min(this.#current, this.#previous);
  }

  add(sample: number, now: Micros): void {
    if (now >= this.#bucketEndsUs) {
      // After a silence of more than a bucket nothing older is believed.
      const isStale = now >= this.#bucketEndsUs + BUCKET_US;
      this.#previous = isStale ? NEVER : this.#current;
      this.#current = NEVER;
      this.#bucketEndsUs = now + BUCKET_US;
    }
    if (sample < this.#current) this.#current = sample;
  }

  clear(): void {
    this.#current = NEVER;
    this.#previous = NEVER;
    this.#bucketEndsUs = 0;
  }
}
