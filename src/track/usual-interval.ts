/**
 * How far apart media frames of one track are usually sent. In: the distance of each from the one before it. Out: their
 * mean, in which pauses (discontinuous transmission, push-to-talk, muting) do not count.
 * Source: DESIGN D3, D7; docs/planner.md §5.
 */
import { MILLISECOND, type Micros } from '../base/protocol.ts';

/** Weight of the newest interval in the usual one. */
const USUAL_GAIN = 1 / 8;
/** A pause is longer than the latency, so that no frame behind it can matter to one before it, and than so many usual ones. */
const PAUSE_INTERVALS = 4;
/** So many of them in a row are no pauses: the encoder makes so few frames now. */
const PAUSES_MAX = 8;

/** See the file header. O(1), without allocation. */
export class UsualInterval {
  /** 0: not known yet. */
  us: Micros = 0;
  #pauses = 0;

  /** @param latencyUs Of the track. */
  note(intervalUs: Micros, latencyUs: Micros): void {
    const usual = this.us;
    const isPause = usual > 0 && intervalUs > Math.max(latencyUs, PAUSE_INTERVALS * usual);
    this.#pauses = isPause ? this.#pauses + 1 : 0;
    // Either the usual one was that of pauses, or it is now: the mean of both would be neither for long.
    const wasPause = usual > Math.max(latencyUs, PAUSE_INTERVALS * intervalUs);
    if (usual === 0) this.us = intervalUs;
    else if (wasPause) this.us = Math.max(MILLISECOND, intervalUs);
    else if (!isPause) this.us = Math.round(usual + (intervalUs - usual) * USUAL_GAIN);
    else if (this.#pauses >= PAUSES_MAX) this.us = intervalUs;
  }
}
