/**
 * CUBIC: after a loss the window returns to where it was along a cubic curve of time, flat around the old maximum, and
 * never grows slower than Reno would. Source: RFC 9438 (section numbers below). Windows are segments, times seconds.
 */
import type { Micros } from '../../base/protocol.ts';
import { cubeRoot } from '../distributions.ts';
import {
  type AckedData,
  type CongestionController,
  type CongestionWindow,
  WINDOW_MIN,
} from './congestion.ts';
import { HyStart } from './hystart.ts';

/** §4.1.2, §5.1. */
const SCALE = 0.4;
/** §4.6. */
const DECREASE = 0.7;
/** §4.3: the additive increase that gives Reno's rate at this decrease. */
const RENO_INCREASE = (3 * (1 - DECREASE)) / (1 + DECREASE);
const SECOND_US = 1_000_000;

export class Cubic implements CongestionController {
  readonly name = 'cubic';
  readonly isUnlimited = false;
  readonly #hyStart = new HyStart();
  /** W_max: the window before the last reduction, lowered by fast convergence. */
  #maxWindow = 0;
  /** cwnd_prior: the same, not lowered. */
  #priorWindow = 0;
  #epochStartUs: Micros = -1;
  #origin = 0;
  /** K: seconds from the start of the epoch to the origin. */
  #riseSeconds = 0;
  /** W_est: what Reno would have. */
  #renoWindow = 0;
  #undoMaxWindow = 0;
  #undoPriorWindow = 0;

  onAcked(window: CongestionWindow, data: AckedData): void {
    if (window.slowStartThreshold === Number.POSITIVE_INFINITY) {
      this.#hyStart.grow(window, data);
      return;
    }
    let acked = data.acked;
    if (window.congestionWindow < window.slowStartThreshold) {
      const growth = Math.min(acked, window.slowStartThreshold - window.congestionWindow);
      window.congestionWindow += growth;
      acked -= growth;
    }
    if (acked > 0) this.#avoidCongestion(window, acked, data);
  }

  #avoidCongestion(window: CongestionWindow, acked: number, data: AckedData): void {
    if (this.#epochStartUs < 0) this.#beginEpoch(window.congestionWindow, data.nowUs);
    const cwnd = window.congestionWindow;
    const elapsed = (data.nowUs - this.#epochStartUs) / SECOND_US;
    const increase = this.#renoWindow < this.#priorWindow ? RENO_INCREASE : 1;
    this.#renoWindow += (increase * acked) / cwnd;
    if (this.#curve(elapsed) < this.#renoWindow) {
      window.congestionWindow = Math.max(cwnd, this.#renoWindow);
      return;
    }
    const wanted = this.#curve(elapsed + data.smoothedRttUs / SECOND_US);
    const target = Math.max(cwnd, Math.min(wanted, 1.5 * cwnd));
    window.congestionWindow = cwnd + ((target - cwnd) / cwnd) * acked;
  }

  /** W_cubic (§4.2). */
  #curve(elapsed: number): number {
    const offset = elapsed - this.#riseSeconds;
    return SCALE * offset * offset * offset + this.#origin;
  }

  #beginEpoch(cwnd: number, nowUs: Micros): void {
    this.#epochStartUs = nowUs;
    this.#origin = Math.max(this.#maxWindow, cwnd);
    this.#riseSeconds = cubeRoot((this.#origin - cwnd) / SCALE);
    this.#renoWindow = cwnd;
  }

  onCongestion(window: CongestionWindow): void {
    const cwnd = window.congestionWindow;
    this.#undoMaxWindow = this.#maxWindow;
    this.#undoPriorWindow = this.#priorWindow;
    // Fast convergence (§4.7): a flow that lost before it came back to its maximum makes room for a newcomer.
    this.#maxWindow = cwnd < this.#maxWindow ? (cwnd * (1 + DECREASE)) / 2 : cwnd;
    this.#priorWindow = cwnd;
    this.#epochStartUs = -1;
    window.slowStartThreshold = Math.max(cwnd * DECREASE, WINDOW_MIN);
  }

  onUndo(): void {
    this.#maxWindow = this.#undoMaxWindow;
    this.#priorWindow = this.#undoPriorWindow;
    this.#epochStartUs = -1;
  }

  onIdle(idleUs: Micros): void {
    // §5.8: time without data is no reason to climb the curve.
    if (this.#epochStartUs >= 0) this.#epochStartUs += idleUs;
  }
}
