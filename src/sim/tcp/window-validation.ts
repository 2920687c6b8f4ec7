/**
 * Keeps the window honest when the application, not the network, limits sending: a window that was not used must not
 * grow, and one long unused shrinks. A 30 fps source is always limited so.
 * Source: RFC 2861 as Linux has it (`tcp_is_cwnd_limited`, `tcp_cwnd_application_limited`, `tcp_cwnd_restart`).
 */
import type { Micros } from '../../base/protocol.ts';
import { type CongestionWindow, INITIAL_WINDOW } from './congestion.ts';

/** A round of sending, just over. */
export interface SendRound {
  /** It stopped because of the window. */
  readonly isLimited: boolean;
  /** Segments outstanding. */
  readonly flight: number;
  readonly una: number;
  readonly sndNxt: number;
  readonly nowUs: Micros;
  readonly timeoutUs: Micros;
}

export class WindowValidation {
  #isLimited = false;
  #flightMax = 0;
  #usageEnd = 0;
  #usedMax = 0;
  #limitedAtUs: Micros = 0;

  /** True when the window was in use enough to grow: in slow start more than half of it, else all. */
  isWindowLimited(window: CongestionWindow): boolean {
    if (this.#isLimited) return true;
    return (
      window.congestionWindow < window.slowStartThreshold && window.congestionWindow < 2 * this.#flightMax
    );
  }

  /** After each round of sending. */
  onSent(window: CongestionWindow, round: SendRound): void {
    const { isLimited, flight, nowUs } = round;
    if (round.una >= this.#usageEnd || isLimited || (!this.#isLimited && flight > this.#flightMax)) {
      this.#isLimited = isLimited;
      this.#flightMax = flight;
      this.#usageEnd = round.sndNxt;
    }
    if (this.isWindowLimited(window)) {
      this.#usedMax = 0;
      this.#limitedAtUs = nowUs;
      return;
    }
    this.#usedMax = Math.max(this.#usedMax, flight);
    if (nowUs - this.#limitedAtUs >= round.timeoutUs) this.#shrink(window, nowUs);
  }

  #shrink(window: CongestionWindow, nowUs: Micros): void {
    const used = Math.max(this.#usedMax, INITIAL_WINDOW);
    if (used < window.congestionWindow) {
      keepThreshold(window);
      window.congestionWindow = (window.congestionWindow + used) / 2;
    }
    this.#usedMax = 0;
    this.#limitedAtUs = nowUs;
  }

  /** Before sending again after `idleUs` with nothing in flight: halves per timeout, down to the initial window. */
  onRestart(window: CongestionWindow, idleUs: Micros, timeoutUs: Micros): void {
    if (idleUs <= timeoutUs) return;
    keepThreshold(window);
    let cwnd = window.congestionWindow;
    for (let left = idleUs - timeoutUs; left > 0 && cwnd > INITIAL_WINDOW; left -= timeoutUs) cwnd /= 2;
    window.congestionWindow = Math.min(window.congestionWindow, Math.max(cwnd, INITIAL_WINDOW));
  }
}

/** The threshold remembers three quarters of the window that is given up (RFC 2861 §3.1). */
function keepThreshold(window: CongestionWindow): void {
  if (window.slowStartThreshold === Number.POSITIVE_INFINITY) return;
  window.slowStartThreshold = Math.max(window.slowStartThreshold, 0.75 * window.congestionWindow);
}
