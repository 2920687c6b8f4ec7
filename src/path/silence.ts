/**
 * Notices that a peer who usually sends has fallen silent, from the side of one who only listens: such an end has nothing
 * unacknowledged, so no probe timeout tells it. In: arrivals. Out: when to ask with a PING; from then on it counts as a
 * sender. Source: DESIGN D10.
 */
import { MILLISECOND, type Micros, NEVER, SECOND } from '../base/protocol.ts';

/**
 * Asked after so many usual gaps. A viewer behind a NAT that has rebound is heard of by its sender only when it says
 * something: at 60 ms of round trip and 120 ms of latency two gaps are too late for the first frame that was lost below 19
 * frames a second, one and a half below 10. A question that was none costs 30 bytes and an ACK.
 */
const SILENT_GAPS = 1.5;
/** Timers and event loops are not more exact than this. */
const SILENCE_MIN_US: Micros = 20 * MILLISECOND;
/** A longer gap is a pause, and not how the peer usually sends. */
const USUAL_MAX_US: Micros = SECOND;
/** The longest recent gap fades with this time constant. */
const FADE_US: Micros = 2 * SECOND;
/** One gap out of the ordinary raises what is usual by half at most, and by this. */
const RISE_RATIO = 1.5;
const RISE_MIN_US: Micros = 5 * MILLISECOND;

export class Silence {
  /** The longest gap between arrivals lately, us. */
  usualUs: Micros = 0;
  #lastUs: Micros = NEVER;
  #hasAsked = false;

  /** Something that asks for an answer has arrived. */
  onArrival(now: Micros): void {
    if (this.#lastUs !== NEVER) {
      const gapUs = now - this.#lastUs;
      if (gapUs > this.usualUs) {
        this.usualUs = Math.min(gapUs, USUAL_MAX_US, RISE_RATIO * this.usualUs + RISE_MIN_US);
      } else this.usualUs -= this.usualUs * Math.min(1, gapUs / FADE_US);
    }
    this.#lastUs = now;
    this.#hasAsked = false;
  }

  /** Once per silence: the answer, or none, settles it. */
  nextDeadline(): Micros {
    if (this.#hasAsked || this.#lastUs === NEVER) return NEVER;
    return this.#lastUs + Math.max(SILENCE_MIN_US, Math.ceil(SILENT_GAPS * this.usualUs));
  }

  /** True, once, when it is time to ask. */
  takeDue(now: Micros): boolean {
    if (this.nextDeadline() > now) return false;
    this.#hasAsked = true;
    return true;
  }
}
