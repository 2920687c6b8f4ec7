/**
 * The standing queue on the way to the peer, from one-way delays whose clocks share no origin. In: send and receive
 * times per packet. Out: queueing delay. A minimum over 60 ms, more where there is more jitter, keeps that out (late ACKs,
 * busy event loops, radio schedulers all add delay, but not to every packet); a real queue delays them all. Source:
 * docs/rate-control.md §4.1; base delay history as in LEDBAT (RFC 6817 §3.4.2) and SCReAM.
 */
import { MILLISECOND, type Micros, SECOND } from '../base/protocol.ts';

/**
 * The queue is the minimum over a window of slots of 10 ms, within these: as long as three delays that hold all packets
 * back; with so many packets, where each is delayed for itself by this much or more.
 */
const SLOTS_MIN = 6;
const SLOTS = 24;
const SLOT_US: Micros = 10 * MILLISECOND;
const HELD = 3;
const PACKETS_MIN = 24;
const OVERTAKEN_US: Micros = 4 * MILLISECOND;
/**
 * Longer than this from one feedback to the next is a stall, of the way or of a host, and counts as so much: what was heard
 * right before it is not old, and the first packets after it, which are all late, are not all there is. Feedback comes every
 * 25 ms, or with each frame of 30 a second. After a silence what was heard before is old.
 */
const STALL_MIN_US: Micros = 40 * MILLISECOND;
const STALL_COUNTS_US: Micros = 25 * MILLISECOND;
const SILENCE_US: Micros = 500 * MILLISECOND;
/**
 * The base is the minimum over 6 buckets of 10 s. Clocks that drift by 100 ppm falsify it by 6 ms in that time; longer
 * is not needed, for the controller empties the queue every 10 s to see its base.
 */
const BASE_BUCKETS = 6;
const BASE_BUCKET_US: Micros = 10 * SECOND;
/** Delay this close to the base counts as an empty queue. */
const NEAR_BASE_US: Micros = 2 * MILLISECOND;

/** Delays that are no queue (jitter.ts is one), us. */
interface JitterView {
  readonly heldUs: Micros;
  readonly overtakenUs: Micros;
}

const CALM: JitterView = { heldUs: 0, overtakenUs: 0 };

/** One path, one direction. */
export class DelayFilter {
  /** Queueing delay, us: minimum of the last 60 ms or more over base; the last known value while nothing is heard. */
  queueUs: Micros = 0;
  /** Last instant at which a delay near the base was seen. */
  nearBaseAtUs: Micros = 0;
  #base: number = Number.POSITIVE_INFINITY;
  readonly #buckets: Float64Array = new Float64Array(BASE_BUCKETS).fill(Number.POSITIVE_INFINITY);
  #bucket = -1;
  /** Every bucket of the base has aged out: the clocks have drifted since, and the next packet begins anew. */
  #isBaseOld = false;
  readonly #slots: Float64Array = new Float64Array(SLOTS).fill(Number.POSITIVE_INFINITY);
  readonly #packets: Float64Array = new Float64Array(SLOTS);
  #slot = -1;
  /** The clock of the slots: time without stalls. */
  #slotUs: Micros = 0;
  #heardAtUs: Micros = 0;
  #sinceUs: Micros = Number.NEGATIVE_INFINITY;

  /** Smallest one-way delay plus the clocks' offset, us; Infinity before the first packet. */
  get baseUs(): number {
    return this.#base;
  }

  /** One packet. `now` is when its ACK came, our clock. */
  onPacket(sentAtUs: Micros, receivedAtUs: Micros, now: Micros): void {
    const delay = receivedAtUs - sentAtUs;
    if (Number.isNaN(delay) || sentAtUs < this.#sinceUs) return;
    this.#hear(now);
    this.#turn(now);
    if (this.#isBaseOld) {
      this.#base = Number.POSITIVE_INFINITY;
      this.#isBaseOld = false;
    }
    const bucket = this.#bucket % BASE_BUCKETS;
    if (delay < (this.#buckets[bucket] as number)) this.#buckets[bucket] = delay;
    if (delay < this.#base) this.#base = delay;
    if (delay < this.#base + NEAR_BASE_US) this.nearBaseAtUs = now;
    const slot = this.#slot % SLOTS;
    if (delay < (this.#slots[slot] as number)) this.#slots[slot] = delay;
    this.#packets[slot] = (this.#packets[slot] as number) + 1;
  }

  /** Brings `queueUs` up to date. @param jitter What else delays packets. */
  update(now: Micros, jitter: JitterView = CALM): void {
    this.#turn(now);
    const count = Math.max(SLOTS_MIN, Math.min(Math.ceil((HELD * jitter.heldUs) / SLOT_US), SLOTS));
    const packetsMin = jitter.overtakenUs < OVERTAKEN_US ? 0 : PACKETS_MIN;
    let delay = Number.POSITIVE_INFINITY;
    let packets = 0;
    for (let i = 0; i < count || (i < SLOTS && packets < packetsMin); i++) {
      const at = (this.#slot - i + SLOTS) % SLOTS;
      delay = Math.min(delay, this.#slots[at] as number);
      packets += this.#packets[at] as number;
    }
    if (delay !== Number.POSITIVE_INFINITY) this.queueUs = Math.max(0, delay - this.#base);
  }

  /** Moves the slots on. */
  #hear(now: Micros): void {
    const gapUs = now - this.#heardAtUs;
    const isStall = gapUs > STALL_MIN_US && gapUs < SILENCE_US;
    this.#slotUs += isStall ? STALL_COUNTS_US : gapUs;
    this.#heardAtUs = now;
    const slot = Math.floor(this.#slotUs / SLOT_US);
    for (let i = Math.max(this.#slot + 1, slot - SLOTS + 1); i <= slot; i++) {
      this.#slots[i % SLOTS] = Number.POSITIVE_INFINITY;
      this.#packets[i % SLOTS] = 0;
    }
    this.#slot = slot;
  }

  /** Moves the base on. */
  #turn(now: Micros): void {
    const bucket = Math.floor(now / BASE_BUCKET_US);
    if (bucket === this.#bucket) return;
    for (let i = Math.max(this.#bucket + 1, bucket - BASE_BUCKETS + 1); i <= bucket; i++) {
      this.#buckets[i % BASE_BUCKETS] = Number.POSITIVE_INFINITY;
    }
    const isFirst = this.#bucket < 0;
    this.#bucket = bucket;
    if (!isFirst) this.#findBase();
  }

  /** The oldest bucket has gone: what remains is the base. An old base stays until something newer is known. */
  #findBase(): void {
    let base = Number.POSITIVE_INFINITY;
    for (let i = 0; i < BASE_BUCKETS; i++) base = Math.min(base, this.#buckets[i] as number);
    this.#isBaseOld = base === Number.POSITIVE_INFINITY;
    if (!this.#isBaseOld) this.#base = base;
  }

  /** The path is longer by `stepUs` for what left at `sinceUs` or later. Too much heals: the base is a minimum. */
  raise(stepUs: Micros, sinceUs: Micros, now: Micros): void {
    for (let i = 0; i < BASE_BUCKETS; i++) this.#buckets[i] = (this.#buckets[i] as number) + stepUs;
    this.#base += stepUs;
    this.#sinceUs = sinceUs;
    this.nearBaseAtUs = now;
    this.update(now, CALM);
  }

  /** Forgets everything: another path, or a queue that would not drain (the base was wrong). */
  reset(): void {
    this.#buckets.fill(Number.POSITIVE_INFINITY);
    this.#slots.fill(Number.POSITIVE_INFINITY);
    this.#packets.fill(0);
    this.#base = Number.POSITIVE_INFINITY;
    this.#sinceUs = Number.NEGATIVE_INFINITY;
    this.queueUs = 0;
  }
}
