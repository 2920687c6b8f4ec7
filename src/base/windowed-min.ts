/**
 * The least sample lately. In: samples and when they were taken. Out: their least over a row of buckets, of which the
 * oldest goes as a new one begins. Source: windowed filters of BBR; base delay history of LEDBAT (RFC 6817 §3.4.2).
 */
import { type Micros, NEVER } from './protocol.ts';

/** Looks back over `count - 1` to `count` buckets; further where samples are rarer than buckets. */
export class WindowedMin {
  readonly #bucketUs: Micros;
  readonly #buckets: Float64Array;
  #newest = 0;
  #bucketEndsUs: Micros = 0;
  #least: number = NEVER;

  /** @param count Buckets of `bucketUs` each, 2 or more. */
  constructor(bucketUs: Micros, count: number) {
    this.#bucketUs = bucketUs;
    this.#buckets = new Float64Array(count).fill(NEVER);
  }

  /** NEVER before the first sample; the last known one after a silence. */
  get value(): number {
    return this.#least;
  }

  /** O(1), and O(count) once a bucket. */
  add(sample: number, now: Micros): void {
    if (now >= this.#bucketEndsUs) this.#turn(now);
    if (sample < (this.#buckets[this.#newest] as number)) this.#buckets[this.#newest] = sample;
    if (sample < this.#least) this.#least = sample;
  }

  clear(): void {
    this.#buckets.fill(NEVER);
    this.#bucketEndsUs = 0;
    this.#least = NEVER;
  }

  #turn(now: Micros): void {
    const count = this.#buckets.length;
    // A silence takes as many of the old ones with it as would have gone in its time.
    const steps = Math.min(count, 1 + Math.floor((now - this.#bucketEndsUs) / this.#bucketUs));
    for (let i = 0; i < steps; i++) {
      this.#newest = (this.#newest + 1) % count;
      this.#buckets[this.#newest] = NEVER;
    }
    this.#bucketEndsUs = now + this.#bucketUs;
    this.#least = NEVER;
    for (let i = 0; i < count; i++) this.#least = Math.min(this.#least, this.#buckets[i] as number);
  }
}
