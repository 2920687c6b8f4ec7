/**
 * Tells a longer path from a queue. A queue of ours grows only as fast as more is sent than delivered, and goes on
 * changing; a path that becomes longer (another route, a handover) delays all packets by the same from one to the next,
 * and they arrive as they were sent. In: delays per packet. Out: by how much the path is longer. Source:
 * docs/rate-control.md §4.1.
 */
import { MILLISECOND, type Micros, NEVER } from '../base/protocol.ts';
import type { AckedPacket } from './controller.ts';

/** Less is left to the law, which drains it: the first window of a TCP flow makes 60 ms at 2 Mbit/s. */
const STEP_MIN_US: Micros = 65 * MILLISECOND;
/** The last packet of the short way, and the first of the long one, left no further apart: a lost ACK hides a media frame. */
const ONSET_MAX_US: Micros = 100 * MILLISECOND;
/** A packet this close to the least delay went the short way. */
const LOW_US: Micros = 5 * MILLISECOND;
/** The least delay before is that of the last 50 to 100 ms. */
const FLOOR_SLOT_US: Micros = 50 * MILLISECOND;
/** The least delay of so many slots of this length in a row must be the same, to so much. */
const FLAT_SLOT_US: Micros = 40 * MILLISECOND;
const FLAT_SLOTS = 4;
const FLAT_US: Micros = 4 * MILLISECOND;
/**
 * So many packets in a row, later than the first by so much or this part of the step, are a queue that grows: it must be
 * answered soon. A burst of ours, a key frame, makes a queue too, but a short one beside a long step.
 */
const RISES_MAX = 3;
const RISE_US: Micros = 8 * MILLISECOND;
const RISE_PART = 0.5;
/** And so many packets must tell. */
const PACKETS_MIN = 6;
/** A queue that drains is never flat for so long: the question is dropped. */
const QUESTION_MAX_US: Micros = 250 * MILLISECOND;
/** What our own packets explain is doubted so many times. */
const OWN_MARGIN = 2;

/** One path, one direction. All instants are those of sending, our clock. */
export class PathStep {
  #lastSentUs: Micros = -NEVER;
  #lastDelay: number = Number.POSITIVE_INFINITY;
  // The least delay lately, in two slots, and the last packet near it.
  #floorSlot = -1;
  #floor: number = Number.POSITIVE_INFINITY;
  #floorBefore: number = Number.POSITIVE_INFINITY;
  #lowSentUs: Micros = -NEVER;
  #lowNumber = 0;
  // The question that is open, if any: since when, from which level, on which level.
  #fromUs: Micros = NEVER;
  #low = 0;
  #level: number = Number.POSITIVE_INFINITY;
  #slotEndsUs: Micros = 0;
  #slotLeast: number = Number.POSITIVE_INFINITY;
  #flat = 0;
  #first = 0;
  #rises = 0;
  #packets = 0;
  #bytes = 0;
  #onsetBytes = 0;
  #onsetUs: Micros = 0;

  /** Whether the path is longer is not known yet: what looks like a queue may be none. */
  get isOpen(): boolean {
    return this.#fromUs !== NEVER;
  }

  /** When the first packet of the longer way left; valid when `onPacket` has returned more than 0. */
  fromUs: Micros = 0;

  /** One packet. Returns by how much the path has become longer, us; mostly 0. */
  onPacket(packet: AckedPacket): Micros {
    const { sentAtUs, packetNumber, sizeBytes } = packet;
    const delay = packet.receivedAtUs - sentAtUs;
    // What is told late belongs to a time that has been judged.
    if (Number.isNaN(delay) || sentAtUs < this.#lastSentUs) return 0;
    this.#lastSentUs = sentAtUs;
    if (this.isOpen) return this.#follow(delay, packet);
    const least = Math.min(this.#floor, this.#floorBefore);
    const isNear = sentAtUs - this.#lowSentUs <= ONSET_MAX_US;
    // A queue grows packet by packet; a path changes between two.
    const isSudden = delay - this.#lastDelay > Math.max(STEP_MIN_US, (delay - least) / 2);
    this.#lastDelay = delay;
    if (isNear && isSudden && delay > least + STEP_MIN_US) this.#open(delay, least, packet);
    else {
      this.#noteFloor(delay, sentAtUs);
      if (delay <= Math.min(this.#floor, this.#floorBefore) + LOW_US) {
        this.#lowSentUs = sentAtUs;
        this.#lowNumber = packetNumber;
      }
    }
    if (this.isOpen) this.#onsetBytes = (packetNumber - this.#lowNumber) * sizeBytes;
    return 0;
  }

  /** Another path. */
  reset(): void {
    this.#close();
    this.#lowSentUs = -NEVER;
  }

  #noteFloor(delay: number, sentAtUs: Micros): void {
    const slot = Math.floor(sentAtUs / FLOOR_SLOT_US);
    if (slot !== this.#floorSlot) {
      this.#floorBefore = slot === this.#floorSlot + 1 ? this.#floor : Number.POSITIVE_INFINITY;
      this.#floor = Number.POSITIVE_INFINITY;
      this.#floorSlot = slot;
    }
    this.#floor = Math.min(this.#floor, delay);
  }

  #open(delay: number, least: number, { sentAtUs }: AckedPacket): void {
    this.#fromUs = sentAtUs;
    this.#low = least;
    this.#first = delay;
    this.#rises = 0;
    this.#level = Number.POSITIVE_INFINITY;
    this.#slotEndsUs = sentAtUs + FLAT_SLOT_US;
    this.#slotLeast = delay;
    this.#flat = 0;
    this.#packets = 1;
    this.#bytes = 0;
    this.#onsetUs = sentAtUs - this.#lowSentUs;
  }

  #close(): void {
    this.#fromUs = NEVER;
    this.#lastDelay = Number.POSITIVE_INFINITY;
    this.#floor = Number.POSITIVE_INFINITY;
    this.#floorBefore = Number.POSITIVE_INFINITY;
    this.#lowSentUs = -NEVER;
  }

  #follow(delay: number, { sentAtUs, sizeBytes }: AckedPacket): Micros {
    if (delay <= this.#low + STEP_MIN_US || sentAtUs - this.#fromUs > QUESTION_MAX_US) {
      this.#close();
      return 0;
    }
    this.#packets++;
    this.#bytes += sizeBytes;
    const riseUs = Math.max(RISE_US, RISE_PART * (this.#first - this.#low));
    this.#rises = delay > this.#first + riseUs ? this.#rises + 1 : 0;
    if (this.#rises >= RISES_MAX) {
      this.#close();
      return 0;
    }
    if (sentAtUs < this.#slotEndsUs) {
      this.#slotLeast = Math.min(this.#slotLeast, delay);
      return 0;
    }
    const least = this.#slotLeast;
    this.#slotLeast = delay;
    this.#slotEndsUs = sentAtUs + FLAT_SLOT_US;
    if (least > this.#level + FLAT_US) {
      // It grows: a queue.
      this.#close();
      return 0;
    }
    if (least < this.#level - FLAT_US) {
      this.#flat = 0;
      this.#level = least;
    }
    this.#flat++;
    if (this.#flat < FLAT_SLOTS || this.#packets < PACKETS_MIN) return 0;
    const step = this.#level - this.#low;
    // Flat means delivered as sent, so the path carries this rate at least: longer than this takes no queue of ours.
    const bps = (this.#bytes * 8e6) / (sentAtUs - this.#fromUs);
    const ownUs = Math.max(0, (this.#onsetBytes * 8e6) / bps - this.#onsetUs);
    this.fromUs = this.#fromUs;
    this.#close();
    return step > OWN_MARGIN * ownUs + STEP_MIN_US ? step : 0;
  }
}
