/**
 * Relates the sender's 16-bit millisecond clock to the receiver's: full send times, and the least one-way offset seen
 * lately, so that every media frame has a deadline on the receiver's clock. Source: docs/wire-format.md §3.6.
 */
import { MILLISECOND, type Micros, NEVER, SECOND } from '../base/protocol.ts';
import { WindowedMin } from './windowed-min.ts';

const SEND_TIMES = 65_536;
/** How far a send time may lie ahead of what the offset says: paths get shorter, clocks drift; 62 s are left behind. */
const AHEAD_US = 3 * SECOND;

/** See the file header. */
export class ArrivalClock {
  readonly #offset: WindowedMin = new WindowedMin();

  get isSet(): boolean {
    return this.#offset.value !== NEVER;
  }

  /** Receiver's clock less sender's clock, plus the least one-way delay. 0 before the first symbol. */
  get offsetUs(): Micros {
    return this.isSet ? this.#offset.value : 0;
  }

  /** The full send time, us on the sender's clock, of a media frame that is met `now`. */
  expand(sendTimeMs: number, now: Micros): Micros {
    if (!this.isSet) return sendTimeMs * MILLISECOND;
    const latestMs = Math.floor((now - this.#offset.value + AHEAD_US) / MILLISECOND);
    const back = (latestMs - sendTimeMs) % SEND_TIMES;
    return (latestMs - (back < 0 ? back + SEND_TIMES : back)) * MILLISECOND;
  }

  /** As {@link expand}, for a symbol that arrived `now`: learns the offset too. */
  onArrival(sendTimeMs: number, now: Micros): Micros {
    const sentAtUs = this.expand(sendTimeMs, now);
    this.#offset.add(now - sentAtUs, now);
    return sentAtUs;
  }
}
