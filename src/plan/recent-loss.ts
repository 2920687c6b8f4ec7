/**
 * What the last quarter, half, ... second of a path say of its loss, and whether a longer time contradicts them: a rise is
 * believed at three sigma, a fall only at five. A burst is one event, however many packets it takes: a second without one
 * says little where there are two or three a second. In: packets sent and lost and runs of losses. Out: yes or no.
 */

const RISE_SIGMAS = 3;
const FALL_SIGMAS = 5;
/** Times looked at, each twice as long as the one before. */
const TIMES_MAX = 8;
/** Fewer packets say too little: their ratio is taken over this many. */
export const PACKETS_MIN = 20;
const BURST_MAX = 50;
/** Runs that decide a burst length together with an imaginary single loss each. */
const PRIOR_RUNS = 2;

/** The times that agree so far, the shortest first. */
export class RecentLoss {
  readonly #sent: Float64Array = new Float64Array(TIMES_MAX);
  readonly #ratios: Float64Array = new Float64Array(TIMES_MAX);
  readonly #bursts: Float64Array = new Float64Array(TIMES_MAX);
  #count = 0;

  clear(): void {
    this.#count = 0;
  }

  /** The next longer time, with all that the shorter ones hold. */
  add(sent: number, lost: number, runs: number): void {
    if (sent < PACKETS_MIN || this.#count === TIMES_MAX) return;
    this.#sent[this.#count] = sent;
    this.#ratios[this.#count] = lost / sent;
    this.#bursts[this.#count++] = burstOf(sent, lost, runs);
  }

  /** More or less was lost over this longer time than one of the shorter ones allows. */
  contradict(sent: number, lost: number, runs: number): boolean {
    if (sent < PACKETS_MIN) return false;
    const ratio = lost / sent;
    const burst = burstOf(sent, lost, runs);
    return ratio > this.#bound(burst, FALL_SIGMAS) || ratio < this.#bound(burst, -RISE_SIGMAS);
  }

  /** Some time ago more was lost than can be, now that there is so little: that time is over. */
  wasHigher(sent: number, lost: number, runs: number): boolean {
    if (sent < PACKETS_MIN || lost === 0) return false;
    const burst = lost / Math.max(1, runs);
    return wilsonBound(lost / sent, trialsOf(sent, burst), -FALL_SIGMAS) > this.#bound(burst, FALL_SIGMAS);
  }

  /** The ratio that all of them allow: at most (`sigmas` above 0), or at least. `burst`: of what they are compared with. */
  #bound(burst: number, sigmas: number): number {
    let bound = sigmas > 0 ? 1 : 0;
    for (let i = 0; i < this.#count; i++) {
      const trials = trialsOf(this.#sent[i] as number, Math.max(burst, this.#bursts[i] as number));
      const one = wilsonBound(this.#ratios[i] as number, trials, sigmas);
      bound = sigmas > 0 ? Math.min(bound, one) : Math.max(bound, one);
    }
    return bound;
  }
}

/** Mean packets lost in a row, 1..50: 1 while as many follow one another as chance makes, within two sigma. */
export function burstOf(sent: number, lost: number, runs: number): number {
  const joined = lost - runs;
  const chance = (lost * lost) / Math.max(PACKETS_MIN, sent);
  const isBursty = joined > chance + 2 * Math.sqrt(chance) + 1;
  return isBursty ? Math.min(BURST_MAX, (lost + PRIOR_RUNS) / (runs + PRIOR_RUNS)) : 1;
}

/** Losses in bursts are as good as so many fewer packets. */
export function trialsOf(sent: number, burst: number): number {
  return sent / Math.max(1, 2 * burst - 1);
}

/** End of the Wilson score interval at `sigmas` (negative: the lower end). `ratio` in 0..1 seen over `count` trials. */
export function wilsonBound(ratio: number, count: number, sigmas: number): number {
  const square = (sigmas * sigmas) / Math.max(1, count);
  const centre = ratio + square / 2;
  const spread = Math.sqrt(square * (ratio * (1 - ratio) + square / 4));
  return Math.min(1, Math.max(0, (centre + Math.sign(sigmas) * spread) / (1 + square)));
}
