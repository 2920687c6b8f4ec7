/**
 * How late things happened, as a histogram of whole microseconds: percentiles without keeping every value.
 * In: one lateness per packet. Out: count, percentiles, maximum. Cost: one increment per packet, 80 kB.
 */

/** Values from here on share the last bucket; the maximum is kept exactly. */
const BUCKETS = 20_000;

/** What a histogram says, microseconds. */
export interface LatenessSummary {
  readonly count: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
}

export class Lateness {
  readonly #buckets = new Uint32Array(BUCKETS);
  #count = 0;
  #maxUs = 0;

  add(lateUs: number): void {
    const value = Math.max(0, Math.round(lateUs));
    const bucket = Math.min(value, BUCKETS - 1);
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1;
    this.#count++;
    if (value > this.#maxUs) this.#maxUs = value;
  }

  /** Forgets everything. */
  clear(): void {
    this.#buckets.fill(0);
    this.#count = 0;
    this.#maxUs = 0;
  }

  summary(): LatenessSummary {
    return {
      count: this.#count,
      p50Us: this.#percentile(0.5),
      p99Us: this.#percentile(0.99),
      p999Us: this.#percentile(0.999),
      maxUs: this.#maxUs,
    };
  }

  #percentile(part: number): number {
    const rank = Math.ceil(part * this.#count);
    let seen = 0;
    for (let us = 0; us < BUCKETS - 1; us++) {
      seen += this.#buckets[us] as number;
      if (seen >= rank) return us;
    }
    return this.#maxUs;
  }
}
