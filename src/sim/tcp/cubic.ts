/**
 * CUBIC: after a loss the window returns to where it was along a cubic curve of time, flat around the old maximum, and
 * never grows slower than Reno would. Source: RFC 9438 (section numbers below); where Linux 6 (tcp_cubic.c) does
 * otherwise, Linux, since that is whose TCP this stands for. Windows are whole segments, times seconds.
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
/** §4.6; Linux: 717 / 1024. */
const DECREASE = 0.7;
/**
 * §4.3: segments acknowledged per segment of Reno-friendly growth, in windows: (1 + 0.7) / (3 (1 - 0.7)), in Linux 15 / 8.
 * Linux keeps it for the whole epoch; RFC 9438 grows like Reno from the old maximum on.
 */
const RENO_WINDOWS = 15 / 8;
/** While the window stands still, Linux looks at the curve this seldom: at short round trips, less than once in each. */
const LOOK_AGAIN_US: Micros = 31_250;
/** At least so many segments acknowledged per segment of growth: 1.5 times per round trip at most (§4.4). */
const COUNT_MIN = 2;
/** At the maximum, Linux still grows by one in so many windows. */
const WINDOWS_AT_REST = 100;
/** Before the first maximum is known, at most so many: 5 % per round trip. */
const COUNT_MAX_UNKNOWN = 20;
const SECOND_US = 1_000_000;

export class Cubic implements CongestionController {
  readonly name = 'cubic';
  readonly isUnlimited = false;
  readonly #hyStart = new HyStart();
  /** W_max: the window before the last reduction, lowered by fast convergence; 0 while unknown. */
  #maxWindow = 0;
  #undoMaxWindow = 0;
  #epochStartUs: Micros = -1;
  #origin = 0;
  /** K: seconds from the start of the epoch to the origin. */
  #riseSeconds = 0;
  /** W_est: what Reno would have; and what was acknowledged since it last grew. */
  #renoWindow = 0;
  #renoAcked = 0;
  /** Segments to be acknowledged for one more in the window, and those that have been. */
  #count = COUNT_MIN;
  #counted = 0;
  /** The window and the instant of the last look at the curve. */
  #lookedWindow = 0;
  #lookedAtUs: Micros = Number.NEGATIVE_INFINITY;
  #minRttUs: Micros = Number.POSITIVE_INFINITY;

  onAcked(window: CongestionWindow, data: AckedData): void {
    if (data.rttUs > 0) this.#minRttUs = Math.min(this.#minRttUs, data.rttUs);
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
    if (acked <= 0) return;
    const cwnd = Math.floor(window.congestionWindow);
    this.#look(cwnd, acked, data);
    window.congestionWindow = cwnd + this.#grown(acked);
  }

  /** Segments that the window grows by for these acknowledged ones (tcp_cong_avoid_ai). */
  #grown(acked: number): number {
    let grown = 0;
    // What was counted against a slower growth is not paid out at once.
    if (this.#counted >= this.#count) {
      this.#counted = 0;
      grown++;
    }
    this.#counted += acked;
    const more = Math.floor(this.#counted / this.#count);
    this.#counted -= more * this.#count;
    return grown + more;
  }

  /** How fast to grow from here (bictcp_update). */
  #look(cwnd: number, acked: number, { nowUs }: AckedData): void {
    this.#renoAcked += acked;
    if (this.#lookedWindow === cwnd && nowUs - this.#lookedAtUs <= LOOK_AGAIN_US) return;
    this.#lookedWindow = cwnd;
    this.#lookedAtUs = nowUs;
    if (this.#epochStartUs < 0) this.#beginEpoch(cwnd, acked, nowUs);
    const delayUs = Number.isFinite(this.#minRttUs) ? this.#minRttUs : 0;
    const target = Math.floor(this.#curve((nowUs - this.#epochStartUs + delayUs) / SECOND_US));
    this.#count = target > cwnd ? Math.floor(cwnd / (target - cwnd)) : WINDOWS_AT_REST * cwnd;
    if (this.#maxWindow === 0) this.#count = Math.min(this.#count, COUNT_MAX_UNKNOWN);
    const perSegment = Math.floor(cwnd * RENO_WINDOWS);
    while (this.#renoAcked > perSegment) {
      this.#renoAcked -= perSegment;
      this.#renoWindow++;
    }
    if (this.#renoWindow > cwnd)
      this.#count = Math.min(this.#count, Math.floor(cwnd / (this.#renoWindow - cwnd)));
    this.#count = Math.max(this.#count, COUNT_MIN);
  }

  /** W_cubic (§4.2). */
  #curve(elapsed: number): number {
    const offset = elapsed - this.#riseSeconds;
    return SCALE * offset * offset * offset + this.#origin;
  }

  #beginEpoch(cwnd: number, acked: number, nowUs: Micros): void {
    this.#epochStartUs = nowUs;
    this.#origin = Math.max(this.#maxWindow, cwnd);
    this.#riseSeconds = cubeRoot((this.#origin - cwnd) / SCALE);
    this.#renoWindow = cwnd;
    this.#renoAcked = acked;
  }

  onCongestion(window: CongestionWindow): void {
    const cwnd = window.congestionWindow;
    this.#undoMaxWindow = this.#maxWindow;
    // Fast convergence (§4.7): a flow that lost before it came back to its maximum makes room for a newcomer.
    this.#maxWindow = Math.floor(cwnd < this.#maxWindow ? (cwnd * (1 + DECREASE)) / 2 : cwnd);
    this.#epochStartUs = -1;
    window.slowStartThreshold = Math.max(Math.floor(cwnd * DECREASE), WINDOW_MIN);
  }

  /** Linux forgets everything (bictcp_reset). */
  onTimeout(): void {
    this.#maxWindow = 0;
    this.#epochStartUs = -1;
    this.#renoAcked = 0;
    this.#count = COUNT_MIN;
    this.#lookedWindow = 0;
    this.#lookedAtUs = Number.NEGATIVE_INFINITY;
    this.#minRttUs = Number.POSITIVE_INFINITY;
  }

  onUndo(): void {
    this.#maxWindow = this.#undoMaxWindow;
    this.#epochStartUs = -1;
  }

  onIdle(idleUs: Micros): void {
    // §5.8: time without data is no reason to climb the curve.
    if (this.#epochStartUs >= 0) this.#epochStartUs += idleUs;
  }
}
