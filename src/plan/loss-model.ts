/**
 * What the path loses: how much, and in bursts of what length. In: the fate of every packet, as acknowledgements tell
 * it, and whether a queue stood when it was lost. Out: a careful loss ratio that is exactly 0 on a path that loses
 * nothing, the mean number of packets lost in a row, and how far the two can be trusted. What FEC repaired counts as
 * lost: parity hides a loss from the application, never from the planner.
 *
 * The estimate is that of the longest time that does not contradict the shorter ones (adaptive windowing; Bifet and
 * Gavalda, 2007): a steady path is known ever better, a rise is believed at three sigma of a quarter of a second, a
 * fall only at five: rising quickly and falling slowly.
 */
import { MILLISECOND, type Micros, NEVER, SECOND } from '../base/protocol.ts';
import { WindowedMin } from '../base/windowed-min.ts';
import { burstOf, PACKETS_MIN, RecentLoss, trialsOf, wilsonBound } from './recent-loss.ts';

const BUCKET_US: Micros = 250 * MILLISECOND;
/** Loss that ended long ago is little beside all that came since: half a second of it is looked at by itself. */
const CHUNK_BUCKETS = 2;
/** 16 s in all: longer ago says nothing of the path now. */
const BUCKETS = 64;
/** What is planned for lies so far above the mean: an underestimate costs frames, an overestimate only bytes. */
const CARE_SIGMAS = 0.5;
const LOSS_RATIO_MAX = 0.4;
/**
 * What took longer to send than this and was lost nearly all of it is an outage: no redundancy bridges it, and it says nothing
 * of what follows. Packet numbers in between may have been skipped.
 */
const OUTAGE_US: Micros = 250 * MILLISECOND;
const OUTAGE_SHARE = 0.9;
const OUTAGE_STEP_MAX = 8;
/** One-way delay above its least by this much is a queue: what is lost then is congestion (an overflow), not the path. */
const QUEUE_US_MIN: Micros = 20 * MILLISECOND;
const QUEUE_JITTERS = 4;
/**
 * The way without a queue is the least delay of the last 60 to 70 s. Clocks that drift by 100 ppm falsify it by 7 ms in that
 * time, which together with the 10 ms of queue that fast media keep is no queue yet. Assumed is that a queue is at its
 * least at some instant of each minute: the rate controller dips every 10 s until it sees its base, and where somebody else
 * keeps the queue, that swings by more than `QUEUE_US_MIN` before it overflows. One that stands still for longer is taken
 * for the way, as the rate controller does.
 */
const LEAST_BUCKET_US: Micros = 10 * SECOND;
const LEAST_BUCKETS = 7;
/** The rate controller sees less than this where no queue stands. */
const STANDING_US_MIN: Micros = 5 * MILLISECOND;

export class LossModel {
  /** Packets lost in all, spurious losses taken back. */
  lostCount = 0;
  /** Of these, how many while a queue stood: they never raise redundancy. */
  congestionCount = 0;
  readonly #acked: Float64Array = new Float64Array(BUCKETS);
  readonly #lost: Float64Array = new Float64Array(BUCKETS);
  readonly #runs: Float64Array = new Float64Array(BUCKETS);
  readonly #recent: RecentLoss = new RecentLoss();
  #bucket = -1;
  #lastLost = -2;
  // What may be an outage: its first packet and when that left, its packets lost, and those and their runs that were counted.
  #outageFirst = 0;
  #outageSentAtUs: Micros = NEVER;
  #outageAll = 0;
  #outageLost = 0;
  #outageRuns = 0;
  #isStale = true;
  #ratio = 0;
  #mean = 0;
  #burst = 1;
  #packets = 0;
  // Queue seen on the way there.
  readonly #least: WindowedMin = new WindowedMin(LEAST_BUCKET_US, LEAST_BUCKETS);
  #queueUs = 0;
  #jitterUs = 0;

  /** One packet was acknowledged. `transitUs` is arrival less departure on two clocks; NaN if not known. */
  onAcked(now: Micros, transitUs: number = Number.NaN): void {
    this.#turn(now);
    this.#add(this.#acked, 1);
    if (Number.isNaN(transitUs)) return;
    this.#least.add(transitUs, now);
    const queueUs = transitUs - this.#least.value;
    this.#jitterUs += (Math.abs(queueUs - this.#queueUs) - this.#jitterUs) / 16;
    this.#queueUs = queueUs;
  }

  /**
   * One packet was declared lost; in ascending order of packet number within one acknowledgement.
   *
   * @param isCongested The rate controller takes losses now for congestion.
   * @param standingUs The queue that it sees, which stays short when the path has only become longer.
   */
  onLost(
    packetNumber: number,
    sentAtUs: Micros,
    now: Micros,
    isCongested = false,
    standingUs: Micros = NEVER,
  ): void {
    this.#turn(now);
    this.lostCount++;
    if (isCongested || (this.isQueueing && standingUs > STANDING_US_MIN)) {
      this.congestionCount++;
      return;
    }
    const step = packetNumber - this.#lastLost;
    this.#lastLost = packetNumber;
    if (step < 1 || step > OUTAGE_STEP_MAX || this.#isSparse(packetNumber)) {
      this.#outageFirst = packetNumber;
      this.#outageSentAtUs = sentAtUs;
      this.#outageAll = 0;
      this.#outageLost = 0;
      this.#outageRuns = 0;
    }
    this.#outageAll++;
    if (sentAtUs - this.#outageSentAtUs > OUTAGE_US) {
      this.#takeOutageBack();
      return;
    }
    this.#outageLost++;
    this.#add(this.#lost, 1);
    if (step === 1) return;
    this.#outageRuns++;
    this.#add(this.#runs, 1);
  }

  /** Too much came through for an outage. */
  #isSparse(packetNumber: number): boolean {
    return this.#outageAll < OUTAGE_SHARE * (packetNumber - this.#outageFirst);
  }

  /** Its packets were declared lost together, when the first one behind it arrived. */
  #takeOutageBack(): void {
    if (this.#outageLost === 0) return;
    this.#add(this.#lost, -Math.min(this.#outageLost, this.#lost[this.#bucket] as number));
    this.#add(this.#runs, -Math.min(this.#outageRuns, this.#runs[this.#bucket] as number));
    this.#outageLost = 0;
    this.#outageRuns = 0;
  }

  /** A packet that was declared lost turned out to be only late. */
  onSpuriousLoss(now: Micros): void {
    this.#turn(now);
    this.lostCount = Math.max(0, this.lostCount - 1);
    // It was lost in a bucket not long ago: the newest that has a loss gives it back.
    for (let back = 0; back < BUCKETS; back++) {
      const at = (this.#bucket - back + BUCKETS) % BUCKETS;
      if ((this.#lost[at] as number) <= 0) continue;
      this.#lost[at] = (this.#lost[at] as number) - 1;
      this.#acked[at] = (this.#acked[at] as number) + 1;
      this.#isStale = true;
      this.#runs[at] = Math.max(0, Math.min(this.#runs[at] as number, this.#lost[at] as number));
      return;
    }
  }

  /** Another path: delays begin anew. */
  resetDelay(): void {
    this.#least.clear();
    this.#queueUs = 0;
  }

  /** A queue stands on the way: loss now is taken for congestion. */
  get isQueueing(): boolean {
    return this.#queueUs > Math.max(QUEUE_US_MIN, QUEUE_JITTERS * this.#jitterUs);
  }

  /** The mean over the time that the estimate rests on, 0..1: for statistics. */
  get averageRatio(): number {
    this.#refresh();
    return this.#mean;
  }

  /** What to plan for, 0..0.4: exactly 0 while nothing is lost, else a little above the mean. */
  get lossRatio(): number {
    this.#refresh();
    return this.#ratio;
  }

  /** Mean number of packets lost in a row, 1..50; 1 unless runs are longer than chance makes them. */
  get burstMean(): number {
    this.#refresh();
    return this.#burst;
  }

  /** Packets that the estimate rests on: its standard deviation is about sqrt(ratio / packets). */
  get packets(): number {
    this.#refresh();
    return this.#packets;
  }

  /** How much likelier than usual a packet is lost right after a lost one, -1..1. 0: losses are independent. */
  get correlation(): number {
    this.#refresh();
    if (this.#mean <= 0 || this.#mean >= 1) return 0;
    return this.#burst === 1 ? 0 : (1 - 1 / this.#burst - this.#mean) / (1 - this.#mean);
  }

  /** Lengthens the time looked at until it contradicts what was seen since. O(buckets), once per change at most. */
  #refresh(): void {
    if (!this.#isStale || this.#bucket < 0) return;
    this.#isStale = false;
    const recent = this.#recent;
    recent.clear();
    let sent = 0;
    let lost = 0;
    let runs = 0;
    let next = 1;
    let chunkSent = 0;
    let chunkLost = 0;
    let chunkRuns = 0;
    this.#keep(0, 0, 0);
    for (let back = 0; back < BUCKETS; back++) {
      const at = (this.#bucket - back + BUCKETS) % BUCKETS;
      chunkSent += (this.#acked[at] as number) + (this.#lost[at] as number);
      chunkLost += this.#lost[at] as number;
      chunkRuns += this.#runs[at] as number;
      const isChunk = (back + 1) % CHUNK_BUCKETS === 0 || back + 1 === next;
      if (!isChunk) continue;
      if (recent.wasHigher(chunkSent, chunkLost, chunkRuns)) break;
      sent += chunkSent;
      lost += chunkLost;
      runs += chunkRuns;
      chunkSent = 0;
      chunkLost = 0;
      chunkRuns = 0;
      if (back + 1 < next) continue;
      next *= 2;
      if (recent.contradict(sent, lost, runs)) break;
      this.#keep(sent, lost, runs);
      recent.add(sent, lost, runs);
    }
  }

  #keep(sent: number, lost: number, runs: number): void {
    this.#packets = sent;
    this.#mean = lost / Math.max(PACKETS_MIN, sent);
    this.#burst = burstOf(sent, lost, runs);
    const trials = trialsOf(Math.max(PACKETS_MIN, sent), this.#burst);
    this.#ratio = lost > 0 ? Math.min(LOSS_RATIO_MAX, wilsonBound(this.#mean, trials, CARE_SIGMAS)) : 0;
  }

  #add(column: Float64Array, change: number): void {
    column[this.#bucket] = (column[this.#bucket] as number) + change;
    this.#isStale = true;
  }

  #turnedAtUs: Micros = 0;

  #turn(now: Micros): void {
    if (this.#bucket < 0) {
      this.#bucket = 0;
      this.#turnedAtUs = now;
      return;
    }
    if (now - this.#turnedAtUs < BUCKET_US) return;
    const steps = Math.min(BUCKETS, Math.floor((now - this.#turnedAtUs) / BUCKET_US));
    this.#turnedAtUs += Math.floor((now - this.#turnedAtUs) / BUCKET_US) * BUCKET_US;
    for (let i = 0; i < steps; i++) {
      this.#bucket = (this.#bucket + 1) % BUCKETS;
      this.#acked[this.#bucket] = 0;
      this.#lost[this.#bucket] = 0;
      this.#runs[this.#bucket] = 0;
    }
    this.#isStale = true;
  }
}
