/**
 * Two short memories of a rate controller: what was sent when, and what was acked and lost when, with or without a
 * queue. Buckets of 50 ms in fixed arrays. Source: windows of docs/rate-control.md §4.3.
 */
import { MILLISECOND, type Micros } from '../base/protocol.ts';

const BUCKET_US: Micros = 50 * MILLISECOND;
/** Sent bytes are kept for 6.4 s: an audit looks back over itself and half a second more. */
const SENT_BUCKETS = 128;
/** Losses are kept for 2 s. */
const LOSS_BUCKETS = 40;

/** Weight of the newest run of losses in their mean length. */
const BURST_GAIN = 1 / 8;
/** Media below this share of proven capacity are not slowed to find out whose loss it is. */
const FAR_BELOW = 0.7;
const FAR_BELOW_WINDOW_US: Micros = 500_000;

/** Bytes sent over time. */
export class SendHistory {
  readonly #bytes: Float64Array = new Float64Array(SENT_BUCKETS);
  #bucket = 0;

  onSent(now: Micros, sizeBytes: number): void {
    const bucket = Math.floor(now / BUCKET_US);
    if (bucket > this.#bucket) {
      for (let i = Math.max(this.#bucket + 1, bucket - SENT_BUCKETS + 1); i <= bucket; i++) {
        this.#bytes[i % SENT_BUCKETS] = 0;
      }
      this.#bucket = bucket;
    }
    const at = this.#bucket % SENT_BUCKETS;
    this.#bytes[at] = (this.#bytes[at] as number) + sizeBytes;
  }

  /** True when the last half second, or these `windowUs`, used much less than this capacity: its loss is not its own doing. */
  isFarBelow(capacityBps: number, now: Micros, windowUs: Micros = FAR_BELOW_WINDOW_US): boolean {
    return this.rate(now - windowUs, now) < FAR_BELOW * capacityBps;
  }

  /** Mean rate sent in [fromUs, toUs), bits per second, to the nearest 50 ms; at most 6 s back. */
  rate(fromUs: Micros, toUs: Micros): number {
    const from = Math.max(0, Math.round(fromUs / BUCKET_US), this.#bucket - SENT_BUCKETS + 1);
    const to = Math.max(Math.round(toUs / BUCKET_US), from + 1);
    let bytes = 0;
    for (let i = from; i < to && i <= this.#bucket; i++) bytes += this.#bytes[i % SENT_BUCKETS] as number;
    return (bytes * 8e6) / ((to - from) * BUCKET_US);
  }
}

/** Packets acked and lost over the last 2 s; each feedback is marked with the queue it saw. */
export class LossHistory {
  readonly #acked: Float64Array = new Float64Array(LOSS_BUCKETS);
  readonly #lost: Float64Array = new Float64Array(LOSS_BUCKETS);
  readonly #calmAcked: Float64Array = new Float64Array(LOSS_BUCKETS);
  readonly #calmLost: Float64Array = new Float64Array(LOSS_BUCKETS);
  #bucket = 0;
  /** Sums over the window: all, and those told while the queue was short. */
  acked = 0;
  lost = 0;
  calmAcked = 0;
  calmLost = 0;
  /** Mean length of a run of losses, packets. */
  burstMean = 1;
  #run = 0;
  #lastLost = -2;

  /** One packet was lost; called in ascending order. */
  onLost(packetNumber: number): void {
    if (packetNumber === this.#lastLost + 1) this.#run++;
    else {
      if (this.#run > 0) this.burstMean += (this.#run - this.burstMean) * BURST_GAIN;
      this.#run = 1;
    }
    this.#lastLost = packetNumber;
  }

  /** All loss, 0..1. */
  get ratio(): number {
    return Math.max(0, this.lost) / Math.max(1, this.acked + this.lost);
  }

  /** Loss while the queue was short, 0..1. */
  get calmRatio(): number {
    return Math.max(0, this.calmLost) / Math.max(1, this.calmAcked + this.calmLost);
  }

  /** Packets behind `calmRatio`. */
  get calmPackets(): number {
    return this.calmAcked + this.calmLost;
  }

  /** How far `ratio` strays by chance: one standard deviation, if packets are lost at this ratio. */
  deviation(ratio: number): number {
    return Math.sqrt((this.burstFactor * ratio * (1 - ratio)) / Math.max(1, this.acked + this.lost));
  }

  /** Variance of a loss count in multiples of that of independent losses: runs of b packets make it 2 b - 1. */
  get burstFactor(): number {
    return 2 * Math.max(1, this.burstMean) - 1;
  }

  add(now: Micros, acked: number, lost: number, isCalm: boolean): void {
    this.turn(now);
    const at = this.#bucket % LOSS_BUCKETS;
    this.#acked[at] = (this.#acked[at] as number) + acked;
    this.#lost[at] = (this.#lost[at] as number) + lost;
    this.acked += acked;
    this.lost += lost;
    if (!isCalm) return;
    this.#calmAcked[at] = (this.#calmAcked[at] as number) + acked;
    this.#calmLost[at] = (this.#calmLost[at] as number) + lost;
    this.calmAcked += acked;
    this.calmLost += lost;
  }

  turn(now: Micros): void {
    const bucket = Math.floor(now / BUCKET_US);
    if (bucket <= this.#bucket) return;
    for (let i = Math.max(this.#bucket + 1, bucket - LOSS_BUCKETS + 1); i <= bucket; i++) {
      const at = i % LOSS_BUCKETS;
      this.acked -= this.#acked[at] as number;
      this.lost -= this.#lost[at] as number;
      this.calmAcked -= this.#calmAcked[at] as number;
      this.calmLost -= this.#calmLost[at] as number;
      this.#acked[at] = 0;
      this.#lost[at] = 0;
      this.#calmAcked[at] = 0;
      this.#calmLost[at] = 0;
    }
    this.#bucket = bucket;
  }

  clear(): void {
    this.#acked.fill(0);
    this.#lost.fill(0);
    this.#calmAcked.fill(0);
    this.#calmLost.fill(0);
    this.acked = 0;
    this.lost = 0;
    this.calmAcked = 0;
    this.calmLost = 0;
  }
}

/** The highest rate noted in the last 3 s, in six slots of half a second. */
export class RecentMax {
  readonly #slots: Float64Array = new Float64Array(6);
  #slot = 0;

  /** `rateBps` may be NaN: then only time passes. */
  note(rateBps: number, now: Micros): void {
    const slot = Math.floor(now / (10 * BUCKET_US));
    if (slot > this.#slot) {
      for (let i = Math.max(this.#slot + 1, slot - 5); i <= slot; i++) this.#slots[i % 6] = 0;
      this.#slot = slot;
    }
    const at = this.#slot % 6;
    if (rateBps > (this.#slots[at] as number)) this.#slots[at] = rateBps;
  }

  /** Bits per second; Infinity if nothing was noted. */
  get bps(): number {
    let max = 0;
    for (let i = 0; i < 6; i++) max = Math.max(max, this.#slots[i] as number);
    return max > 0 ? max : Number.POSITIVE_INFINITY;
  }
}
