/**
 * HyStart++: leaves slow start when the round trip grows, by way of a slower start that checks whether the growth was
 * real. In: acknowledgements during the first slow start. Out: by how much the window grows. Source: RFC 9406.
 */
import type { Micros } from '../../base/protocol.ts';
import type { AckedData, CongestionWindow } from './congestion.ts';

const THRESHOLD_MIN_US: Micros = 4_000;
const THRESHOLD_MAX_US: Micros = 16_000;
const RTT_DIVISOR = 8;
const SAMPLES_MIN = 8;
const CONSERVATIVE_DIVISOR = 4;
const CONSERVATIVE_ROUNDS = 5;
/** Growth per acknowledgement without pacing, segments (§4.3). */
const GROWTH_LIMIT = 8;

export class HyStart {
  #roundEnd = 0;
  #lastRoundMinUs: Micros = Number.POSITIVE_INFINITY;
  #roundMinUs: Micros = Number.POSITIVE_INFINITY;
  #samples = 0;
  #baselineUs: Micros = Number.POSITIVE_INFINITY;
  /** Rounds of conservative slow start so far; -1 in standard slow start. */
  #conservativeRounds = -1;

  /** Grows the window by one acknowledgement; sets the threshold when slow start ends. */
  grow(window: CongestionWindow, data: AckedData): void {
    if (data.una >= this.#roundEnd) this.#beginRound(data.sndNxt);
    if (data.rttUs > 0) {
      this.#roundMinUs = Math.min(this.#roundMinUs, data.rttUs);
      this.#samples++;
    }
    const growth = Math.min(data.acked, GROWTH_LIMIT);
    window.congestionWindow += this.#conservativeRounds < 0 ? growth : growth / CONSERVATIVE_DIVISOR;
    if (this.#conservativeRounds < 0) this.#checkDelay();
    else if (this.#samples >= SAMPLES_MIN && this.#roundMinUs < this.#baselineUs)
      this.#conservativeRounds = -1;
    else if (this.#conservativeRounds >= CONSERVATIVE_ROUNDS)
      window.slowStartThreshold = window.congestionWindow;
  }

  #beginRound(sndNxt: number): void {
    this.#roundEnd = sndNxt;
    this.#lastRoundMinUs = this.#roundMinUs;
    this.#roundMinUs = Number.POSITIVE_INFINITY;
    this.#samples = 0;
    if (this.#conservativeRounds >= 0) this.#conservativeRounds++;
  }

  #checkDelay(): void {
    const { POSITIVE_INFINITY } = Number;
    if (this.#samples < SAMPLES_MIN) return;
    if (this.#roundMinUs === POSITIVE_INFINITY || this.#lastRoundMinUs === POSITIVE_INFINITY) return;
    const share = this.#lastRoundMinUs / RTT_DIVISOR;
    const thresholdUs = Math.max(THRESHOLD_MIN_US, Math.min(share, THRESHOLD_MAX_US));
    if (this.#roundMinUs < this.#lastRoundMinUs + thresholdUs) return;
    this.#baselineUs = this.#roundMinUs;
    this.#conservativeRounds = 0;
  }
}
