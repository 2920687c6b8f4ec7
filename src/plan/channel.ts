/**
 * How many of n packets sent in a row are lost. In: loss ratio and mean run of losses of a path. Out: distributions,
 * by Gilbert's two-state chain (every packet in the bad state is lost), which with runs of chance length is plain
 * independent loss. Tables grow as they are asked for. Source: Gilbert (1960); the block bounds of docs/planner.md.
 */

/** Packets of one question: two blocks of the code (K + Row <= 254). */
export const PACKETS_MAX = 510;
/** Who loses more than this needs a lower rate, not more packets. */
const LOSS_RATIO_MAX = 0.4;
const BURST_MAX = 50;
/** Runs up to this much longer than chance makes them are chance. */
const CHANCE_EXCESS = 1.12;

/** One path's loss as a chain of two states. Immutable but for its tables; O(n^2) once, then O(1). */
export class Channel {
  /** 0..0.6. */
  readonly lossRatio: number;
  /** Mean packets lost in a row, as far as longer than chance makes it. */
  readonly burstMean: number;
  /** Losses come in longer runs than chance makes. */
  readonly isBursty: boolean;
  /** P(next is lost | this arrived), P(next is lost | this was lost). */
  readonly #lossAfterArrival: number;
  readonly #lossAfterLoss: number;
  /** Shape [n][4 * (n + 1)]: P(j of n lost, last in state e | state s before), s and e: 0 arrived, 1 lost. */
  readonly #counts: Float64Array[] = [Float64Array.of(1, 0, 0, 1)];
  /** Shape [n][n + 1]: P(more than j of n lost), nothing known of what came before. */
  readonly #tails: (Float64Array | undefined)[] = [];

  constructor(lossRatio: number, burstMean: number) {
    this.lossRatio = Math.min(LOSS_RATIO_MAX, Math.max(0, lossRatio));
    const chance = 1 / (1 - this.lossRatio);
    this.isBursty = burstMean > chance * CHANCE_EXCESS;
    this.burstMean = this.isBursty ? Math.min(BURST_MAX, burstMean) : chance;
    const recovers = 1 / this.burstMean;
    this.#lossAfterLoss = 1 - recovers;
    this.#lossAfterArrival = Math.min(1, (this.lossRatio * recovers) / (1 - this.lossRatio));
  }

  /** P(more than `lost` of `packets` in a row are lost). Below 0: 1. Above {@link PACKETS_MAX} packets: of so many. */
  moreThan(lost: number, packets: number): number {
    if (lost < 0) return 1;
    const n = Math.min(packets, PACKETS_MAX);
    if (lost >= n) return 0;
    return this.#tail(n)[lost] as number;
  }

  /** P(exactly `lost` of `packets` in a row are lost). */
  exactly(lost: number, packets: number): number {
    return this.moreThan(lost - 1, packets) - this.moreThan(lost, packets);
  }

  /** P(j of n lost, last packet in state `end` | the packet before was in state `start`), shape [n + 1] from `at`. */
  counts(packets: number): Float64Array {
    const n = Math.min(packets, PACKETS_MAX);
    while (this.#counts.length <= n) this.#grow();
    return this.#counts[n] as Float64Array;
  }

  /** Gives back the memory of the tables; they grow again when they are asked for. */
  forget(): void {
    this.#counts.length = 1;
    this.#tails.length = 0;
  }

  #grow(): void {
    const n = this.#counts.length;
    const before = this.#counts[n - 1] as Float64Array;
    const next = new Float64Array(4 * (n + 1));
    for (let start = 0; start < 2; start++) {
      const from = 2 * start * n;
      const to = 2 * start * (n + 1);
      for (let j = 0; j < n; j++) {
        const good = before[from + j] as number;
        const bad = before[from + n + j] as number;
        const lost = good * this.#lossAfterArrival + bad * this.#lossAfterLoss;
        next[to + j] = (next[to + j] as number) + good + bad - lost;
        next[to + n + 1 + j + 1] = (next[to + n + 1 + j + 1] as number) + lost;
      }
    }
    this.#counts.push(next);
  }

  #tail(n: number): Float64Array {
    const known = this.#tails[n];
    if (known !== undefined) return known;
    const counts = this.counts(n);
    const width = n + 1;
    const tail = new Float64Array(width);
    let above = 0;
    for (let j = n; j >= 0; j--) {
      tail[j] = above;
      const good = (counts[j] as number) + (counts[width + j] as number);
      const bad = (counts[2 * width + j] as number) + (counts[3 * width + j] as number);
      above += (1 - this.lossRatio) * good + this.lossRatio * bad;
    }
    this.#tails[n] = tail;
    return tail;
  }
}
