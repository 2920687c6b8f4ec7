/**
 * Leaves out a packet number now and then: a peer that acknowledges one is lying about what it received, to be sent
 * more. Source: RFC 9000 §21.4 (optimistic ACK).
 */
import { NEVER } from '../base/protocol.ts';
import type { Random } from '../base/random.ts';
import type { AckFrame } from '../wire/ack.ts';

/** Mean packet numbers between two that are left out: doubles from one to the other. */
const PERIOD_MIN = 256;
const PERIOD_MAX: number = 128 * 1024;

/** Decides which numbers are left out, and remembers the last two: the ring may have forgotten them before the lie. */
export class SkippedNumbers {
  readonly #random: Random | undefined;
  #period = PERIOD_MIN;
  #next = NEVER;
  #last = -1;
  #before = -1;

  /** @param random Without it no number is left out. */
  constructor(random: Random | undefined) {
    this.#random = random;
    this.#draw(0);
  }

  /** True when `packetNumber`, about to be used, is to be left out. */
  isDue(packetNumber: number): boolean {
    return packetNumber >= this.#next;
  }

  onSkipped(packetNumber: number): void {
    this.#before = this.#last;
    this.#last = packetNumber;
    this.#period = Math.min(this.#period * 2, PERIOD_MAX);
    this.#draw(packetNumber);
  }

  #draw(from: number): void {
    const random = this.#random;
    if (random !== undefined) this.#next = from + Math.floor((0.5 + random.unit()) * this.#period) + 1;
  }

  /** True when `ack` covers one of the last two numbers left out. Cost: its ranges. */
  isClaimedBy(ack: AckFrame): boolean {
    if (this.#last < 0) return false;
    for (let i = 0; i < ack.rangeCount; i++) {
      const start = ack.starts[i] as number;
      const end = ack.ends[i] as number;
      if (start <= this.#last && this.#last <= end) return true;
      if (start <= this.#before && this.#before <= end) return true;
    }
    return false;
  }
}
