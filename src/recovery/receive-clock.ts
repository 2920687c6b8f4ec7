/** Makes the 32-bit receive times of ACK frames (docs/wire-format.md §3.1) one clock that never wraps. */
import type { Micros } from '../base/protocol.ts';
import type { AckFrame } from '../wire/ack.ts';

const TWO_32 = 4_294_967_296;

/** One per connection and direction. Right as long as ACKs are less than 35 minutes apart; keep-alives are 15 s apart. */
export class ReceiveClock {
  #baseUs: Micros = Number.NaN;
  #low = 0;

  /** Takes the time of the largest packet of `ack`; `timeOf` then speaks of this ACK. */
  follow(ack: AckFrame): void {
    if (ack.timeCount === 0) return;
    const low = ack.times[0] as number;
    if (Number.isNaN(this.#baseUs)) {
      this.#baseUs = low;
    } else {
      let step = low - this.#low;
      if (step < -TWO_32 / 2) step += TWO_32;
      else if (step >= TWO_32 / 2) step -= TWO_32;
      this.#baseUs += step;
    }
    this.#low = low;
  }

  /** Receive time of the `index`-th highest packet number of the ACK at hand, or NaN if it has none. */
  timeOf(ack: AckFrame, index: number): Micros {
    if (index >= ack.timeCount) return Number.NaN;
    return this.#baseUs + ((ack.times[index] as number) - (ack.times[0] as number));
  }
}
