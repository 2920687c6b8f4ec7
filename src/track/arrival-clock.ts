/**
 * Relates the sender's 16-bit millisecond clock to the receiver's: full send times, and the least one-way offset seen
 * lately, so that every media frame has a deadline on the receiver's clock. Source: docs/wire-format.md §3.6.
 */
import { MILLISECOND, type Micros, NEVER, SECOND } from '../base/protocol.ts';
import { WindowedMin } from '../base/windowed-min.ts';

const SEND_TIMES = 65_536;
/** The least offset is that of the last 10 to 20 seconds. */
const OFFSET_BUCKET_US: Micros = 10 * SECOND;
/** How far a send time may lie ahead of what the offset says: paths get shorter, clocks drift; 62 s are left behind. */
const AHEAD_US = 3 * SECOND;

/**
 * A path that has become longer: in two stretches of this length, with enough symbols each, the least offset stays put,
 * well above the one known. A queue does not stay put.
 */
const STRETCH_US: Micros = 400 * MILLISECOND;
const STRETCH_SYMBOLS_MIN = 8;
const LONGER_US_MIN: Micros = 20 * MILLISECOND;
const STEADY_US: Micros = 4 * MILLISECOND;

/** See the file header. */
export class ArrivalClock {
  readonly #offset: WindowedMin = new WindowedMin(OFFSET_BUCKET_US, 2);
  // The stretch at hand, and the least offset of the one before.
  #stretchEndsUs: Micros = 0;
  #stretchSymbols = 0;
  #stretchLeast = NEVER;
  #lastLeast = NEVER;

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
    this.#noticeLonger(now - sentAtUs, now);
    this.#offset.add(now - sentAtUs, now);
    return sentAtUs;
  }

  /** Gives the least offset up once the path is longer: deadlines would be too early until it is forgotten. */
  #noticeLonger(offsetUs: Micros, now: Micros): void {
    if (now >= this.#stretchEndsUs) {
      const least = this.#stretchSymbols >= STRETCH_SYMBOLS_MIN ? this.#stretchLeast : NEVER;
      const isLonger = least !== NEVER && least > this.#offset.value + LONGER_US_MIN;
      if (isLonger && Math.abs(least - this.#lastLeast) < STEADY_US) this.#offset.clear();
      this.#lastLeast = least;
      this.#stretchEndsUs = now + STRETCH_US;
      this.#stretchSymbols = 0;
      this.#stretchLeast = NEVER;
    }
    this.#stretchSymbols++;
    this.#stretchLeast = Math.min(this.#stretchLeast, offsetUs);
  }
}
