/**
 * Takes back a reduction that was a mistake: the segments were late, not lost. In: the start of an episode, what was
 * retransmitted, acknowledgements. Out: whether all of it was in vain.
 * Source: Eifel detection by time stamps (RFC 3522) and duplicate reports (RFC 2883), as Linux' `tcp_may_undo`.
 */
import type { Micros } from '../../base/protocol.ts';
import type { CongestionWindow } from './congestion.ts';

export class Undo {
  #isArmed = false;
  #start = 0;
  #retransmissions = 0;
  #duplicates = 0;
  #firstRetransmissionUs: Micros = Number.POSITIVE_INFINITY;
  #window: CongestionWindow = { congestionWindow: 0, slowStartThreshold: 0 };

  /**
   * A reduction is about to happen, with SND.UNA at `una`.
   * @param isRetransmitting Retransmissions of an earlier episode are in flight: their acknowledgements carry older time
   *   stamps than this episode's and prove nothing about it.
   */
  begin(window: CongestionWindow, una: number, isRetransmitting: boolean): void {
    this.#isArmed = true;
    this.#start = una;
    this.#retransmissions = 0;
    this.#duplicates = 0;
    this.#firstRetransmissionUs = isRetransmitting ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    this.#window = { ...window };
  }

  end(): void {
    this.#isArmed = false;
  }

  onRetransmission(nowUs: Micros): void {
    this.#retransmissions++;
    if (nowUs < this.#firstRetransmissionUs) this.#firstRetransmissionUs = nowUs;
  }

  onDuplicate(start: number): void {
    if (start >= this.#start) this.#duplicates++;
  }

  /** True when an acknowledgement shows that nothing had been lost. `echoUs` is its time stamp, if it is new data. */
  isMistaken(echoUs: Micros, isAdvanced: boolean): boolean {
    if (!this.#isArmed || this.#retransmissions === 0) return false;
    const isEarlier = isAdvanced && echoUs < this.#firstRetransmissionUs;
    return isEarlier || this.#duplicates >= this.#retransmissions;
  }

  /** Restores the window of the episode's start, or keeps the present one where it is larger. */
  apply(window: CongestionWindow): void {
    window.congestionWindow = Math.max(window.congestionWindow, this.#window.congestionWindow);
    window.slowStartThreshold = Math.max(window.slowStartThreshold, this.#window.slowStartThreshold);
    this.#isArmed = false;
  }
}
