/** Makes the 32-bit receive times of ACK frames (docs/wire-format.md §3.1) one clock that never wraps. */
import type { Micros } from '../base/protocol.ts';
import type { AckFrame } from '../wire/ack.ts';

const TWO_32 = 4_294_967_296;

/**
 * One per connection and direction. The peer's clock goes as fast as ours: of the times that 32 bits can mean, the one is
 * right that lies nearest to where the last one would be by now. True after any silence (an idle connection may be silent
 * for a day), as long as two ACKs in a row are not delayed 35 minutes differently.
 */
export class ReceiveClock {
  #baseUs: Micros = Number.NaN;
  #followedAtUs: Micros = 0;

  /** Takes the time of the largest packet of `ack`, which came `now`, our clock; `timeOf` then speaks of this ACK. */
  follow(ack: AckFrame, now: Micros): void {
    if (ack.timeCount === 0) return;
    const low = ack.times[0] as number;
    if (Number.isNaN(this.#baseUs)) {
      this.#baseUs = low;
    } else {
      const expectedUs = this.#baseUs + (now - this.#followedAtUs);
      this.#baseUs = low + TWO_32 * Math.round((expectedUs - low) / TWO_32);
    }
    this.#followedAtUs = now;
  }

  /** Receive time of the `index`-th highest packet number of the ACK at hand, or NaN if it has none. */
  timeOf(ack: AckFrame, index: number): Micros {
    if (index >= ack.timeCount) return Number.NaN;
    return this.#baseUs + ((ack.times[index] as number) - (ack.times[0] as number));
  }
}
