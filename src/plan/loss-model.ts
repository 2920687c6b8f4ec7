/**
 * What the path loses: how much, and in bursts of what length. In: the fate of every packet, as acknowledgements tell
 * it. Out: a careful loss ratio (an upper bound that still is exactly 0 on a path that loses nothing) and the mean
 * number of packets lost in a row. What FEC repaired counts as lost: parity hides a loss from the application, never
 * from the planner. Source: docs/rate-control.md §2.4 (EWMA of 2 s, maximum of ten windows of 1 s, Wilson bound).
 */
import { type Micros, SECOND } from '../base/protocol.ts';

/** Time constant of the moving average. */
const MEMORY_US: Micros = 2 * SECOND;
/** The average ages in steps, so that a packet costs two additions. */
const STEP_US: Micros = 50_000;
/** Windows of one second whose worst counts, at half: a loss episode is not forgotten at once. */
const WINDOWS = 10;
/** A window with fewer packets says too little: its ratio is taken over this many. */
const WINDOW_PACKETS_MIN = 20;
/** Below this many remembered losses nothing was lost: an echo of a loss long ago is not a reason to pay for repair. */
const LOST_MIN = 0.02;
const LOSS_RATIO_MAX = 0.6;
const BURST_MAX = 100;

export class LossModel {
  /** Packets lost in all, spurious losses taken back. */
  lostCount = 0;
  #sent = 0;
  #lost = 0;
  #runs = 0;
  #agedAtUs: Micros = -1;
  #lastLost = -2;
  readonly #windowSent: Float64Array = new Float64Array(WINDOWS);
  readonly #windowLost: Float64Array = new Float64Array(WINDOWS);
  #window = 0;
  #windowEndUs: Micros = -1;

  /** One packet was acknowledged. */
  onAcked(now: Micros): void {
    this.#age(now);
    this.#sent++;
    this.#windowSent[this.#window] = (this.#windowSent[this.#window] as number) + 1;
  }

  /** One packet was declared lost; in ascending order of packet number within one acknowledgement. */
  onLost(packetNumber: number, now: Micros): void {
    this.#age(now);
    this.lostCount++;
    this.#sent++;
    this.#lost++;
    if (packetNumber !== this.#lastLost + 1) this.#runs++;
    this.#lastLost = packetNumber;
    this.#windowSent[this.#window] = (this.#windowSent[this.#window] as number) + 1;
    this.#windowLost[this.#window] = (this.#windowLost[this.#window] as number) + 1;
  }

  /** A packet that was declared lost turned out to be only late. */
  onSpuriousLoss(now: Micros): void {
    this.#age(now);
    this.lostCount = Math.max(0, this.lostCount - 1);
    this.#lost = Math.max(0, this.#lost - 1);
    this.#runs = Math.max(0, this.#runs - 1);
    const lost = this.#windowLost[this.#window] as number;
    this.#windowLost[this.#window] = Math.max(0, lost - 1);
  }

  /** The plain moving average, 0..1: for statistics. */
  get averageRatio(): number {
    return this.#lost < LOST_MIN || this.#sent <= 0 ? 0 : this.#lost / this.#sent;
  }

  /** What to plan for, 0..0.6: exactly 0 while nothing is lost, else an upper bound of the ratio (one sigma). */
  get lossRatio(): number {
    if (this.#lost < LOST_MIN && this.#worstWindow() === 0) return 0;
    const packets = Math.max(1, this.#sent);
    const ratio = Math.max(Math.min(1, this.#lost / packets), this.#worstWindow() / 2);
    return Math.min(LOSS_RATIO_MAX, wilsonUpperBound(ratio, packets));
  }

  /** Mean number of packets lost in a row, 1..100; 1 until a burst was seen. */
  get burstMean(): number {
    // One imaginary single loss keeps the first burst of a connection from deciding alone.
    return Math.min(BURST_MAX, Math.max(1, (this.#lost + 1) / (this.#runs + 1)));
  }

  #worstWindow(): number {
    let worst = 0;
    for (let i = 0; i < WINDOWS; i++) {
      const lost = this.#windowLost[i] as number;
      if (lost > 0)
        worst = Math.max(worst, lost / Math.max(WINDOW_PACKETS_MIN, this.#windowSent[i] as number));
    }
    return worst;
  }

  #age(now: Micros): void {
    if (this.#agedAtUs < 0) {
      this.#agedAtUs = now;
      this.#windowEndUs = now + SECOND;
      return;
    }
    const elapsed = now - this.#agedAtUs;
    if (elapsed < STEP_US) return;
    const keep = Math.exp(-elapsed / MEMORY_US);
    this.#sent *= keep;
    this.#lost *= keep;
    this.#runs *= keep;
    this.#agedAtUs = now;
    if (now < this.#windowEndUs) return;
    const passed = Math.min(WINDOWS, 1 + Math.floor((now - this.#windowEndUs) / SECOND));
    for (let i = 0; i < passed; i++) {
      this.#window = (this.#window + 1) % WINDOWS;
      this.#windowSent[this.#window] = 0;
      this.#windowLost[this.#window] = 0;
    }
    this.#windowEndUs = Math.max(this.#windowEndUs + passed * SECOND, now);
  }
}

/** Upper end of the Wilson score interval at one sigma. `ratio` in 0..1 seen over `count` >= 1 trials. */
export function wilsonUpperBound(ratio: number, count: number): number {
  const centre = ratio + 1 / (2 * count);
  const spread = Math.sqrt((ratio * (1 - ratio)) / count + 1 / (4 * count * count));
  return Math.min(1, (centre + spread) / (1 + 1 / count));
}
