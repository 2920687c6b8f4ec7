/**
 * What the redundancy planner and the statistics want to know about loss on this path: how much, and in runs of what
 * length. Fed in packet number order, so runs are runs on the wire. Source: docs/rate-control.md §2.4 (inputs of the
 * planner).
 */
import type { Micros } from '../base/protocol.ts';
import { MILLISECOND } from '../base/protocol.ts';

/** The window is 20 buckets of 250 ms. */
const BUCKETS = 20;
const BUCKET_US: Micros = 250 * MILLISECOND;

/** Counts of resolved packets (acked or declared lost), in total and over the last 5 s. */
export class LossStatistics {
  /** Packets whose fate was told, since the start. A spurious loss moves one from lost to acked. */
  acked = 0;
  lost = 0;
  /** Runs of consecutive lost packets since the start. */
  runs = 0;
  /** Losses that turned out to be late. */
  spurious = 0;
  /** Length of the run that ended last, packets. */
  lastRun = 0;
  readonly #acked: Float64Array = new Float64Array(BUCKETS);
  readonly #lost: Float64Array = new Float64Array(BUCKETS);
  readonly #runs: Float64Array = new Float64Array(BUCKETS);
  #windowAcked = 0;
  #windowLost = 0;
  #windowRuns = 0;
  #bucket = 0;
  #run = 0;

  /** Lost / resolved over the last 5 s, 0..1; 0 without data. */
  get lossRatio(): number {
    const resolved = this.#windowAcked + this.#windowLost;
    return resolved > 0 ? Math.max(0, this.#windowLost) / resolved : 0;
  }

  /** Packets resolved in the last 5 s: how far `lossRatio` can be trusted. */
  get resolved(): number {
    return this.#windowAcked + this.#windowLost;
  }

  /** Mean length of a run of lost packets over the last 5 s; 1 without data. */
  get burstMean(): number {
    return this.#windowRuns > 0 ? Math.max(1, this.#windowLost / this.#windowRuns) : 1;
  }

  onAcked(now: Micros): void {
    this.#turn(now);
    this.acked++;
    this.#windowAcked++;
    this.#add(this.#acked, 1);
    if (this.#run > 0) this.lastRun = this.#run;
    this.#run = 0;
  }

  onLost(now: Micros): void {
    this.#turn(now);
    this.lost++;
    this.#windowLost++;
    this.#add(this.#lost, 1);
    if (this.#run === 0) this.#addRuns(1);
    this.#run++;
  }

  /**
   * A lost packet was acked late.
   *
   * @param lostNeighbours How many of the packets just before and after it are lost too, 0..2: its run vanishes, gets
   * shorter, or falls into two.
   */
  onSpurious(lostNeighbours: number, now: Micros): void {
    this.#turn(now);
    this.spurious++;
    this.lost--;
    this.acked++;
    this.#windowLost--;
    this.#windowAcked++;
    this.#add(this.#lost, -1);
    this.#add(this.#acked, 1);
    this.#addRuns(lostNeighbours - 1);
  }

  #add(column: Float64Array, change: number): void {
    const at = this.#bucket % BUCKETS;
    column[at] = (column[at] as number) + change;
  }

  #addRuns(change: number): void {
    this.runs += change;
    this.#windowRuns += change;
    this.#add(this.#runs, change);
  }

  #turn(now: Micros): void {
    const bucket = Math.floor(now / BUCKET_US);
    if (bucket <= this.#bucket) return;
    const steps = Math.min(BUCKETS, bucket - this.#bucket);
    for (let i = 1; i <= steps; i++) {
      const at = (bucket - steps + i) % BUCKETS;
      this.#windowAcked -= this.#acked[at] as number;
      this.#windowLost -= this.#lost[at] as number;
      this.#windowRuns -= this.#runs[at] as number;
      this.#acked[at] = 0;
      this.#lost[at] = 0;
      this.#runs[at] = 0;
    }
    this.#bucket = bucket;
  }
}
