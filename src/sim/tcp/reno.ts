/** Reno: one segment more per round trip, half at each loss. Source: RFC 5681, byte counting of RFC 3465 (L = 8 by HyStart++). */
import {
  type AckedData,
  type CongestionController,
  type CongestionWindow,
  WINDOW_MIN,
} from './congestion.ts';
import { HyStart } from './hystart.ts';

const DECREASE = 0.5;

export class Reno implements CongestionController {
  readonly name = 'reno';
  readonly isUnlimited = false;
  readonly #hyStart = new HyStart();

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
    window.congestionWindow += acked / window.congestionWindow;
  }

  onCongestion(window: CongestionWindow): void {
    window.slowStartThreshold = Math.max(window.congestionWindow * DECREASE, WINDOW_MIN);
  }

  onTimeout(): void {}

  onUndo(): void {}

  onIdle(): void {}
}
