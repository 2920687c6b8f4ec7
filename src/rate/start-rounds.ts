/**
 * Says when the start's doubling has filled the path although no queue shows (shallow buffers, a busy host): the
 * delivery rate stops growing. Source: BBR's full-pipe check (draft-ietf-ccwg-bbr §5.3.1.2).
 */
import { MILLISECOND, type Micros } from '../base/protocol.ts';
import type { LossHistory } from './history.ts';

/** 2 / ln 2: the smallest gain that doubles the rate every round trip. */
const GAIN = 2.885;
/** A round that grew less than this counts as flat; three flat rounds end the start. */
const GROWTH = 1.25;
const FLAT_ROUNDS = 3;
/** One flat round is enough when it loses more than this: the excess overflows a buffer too shallow to show. */
const LOSS_MAX = 0.2;
/** A round is a round trip, but no shorter than what the delivery rate is measured over. */
const ROUND_MIN_US: Micros = 50 * MILLISECOND;

/** Used while the controller is in its start. */
export class StartRounds {
  /** Target as a multiple of the delivery rate. */
  readonly gain: number = GAIN;
  #roundEndsUs: Micros = -1;
  /** Highest delivery rate so far, bits per second: what the path has carried. */
  reachedBps = 0;
  /** What was sent to reach it. */
  #reachedBySending = 0;
  #flat = 0;
  /** There was too little to send at some time in this round. */
  #wasLimited = false;

  reset(): void {
    this.#roundEndsUs = -1;
    this.reachedBps = 0;
    this.#reachedBySending = 0;
    this.#flat = 0;
  }

  /**
   * Returns true when the path is full. A round in which there was once too little to send proves nothing, nor does one
   * in which no more was sent than before: then random loss alone keeps what arrives below what is sent.
   */
  onFeedback(
    deliveredBps: number,
    sentBps: number,
    isAppLimited: boolean,
    losses: LossHistory,
    smoothedRttUs: Micros,
    now: Micros,
  ): boolean {
    if (isAppLimited) this.#wasLimited = true;
    if (now < this.#roundEndsUs) return false;
    const provesNothing = this.#wasLimited;
    this.#wasLimited = false;
    this.#roundEndsUs = now + Math.max(ROUND_MIN_US, smoothedRttUs);
    if (provesNothing) return false;
    if (deliveredBps >= GROWTH * this.reachedBps) {
      this.reachedBps = deliveredBps;
      this.#reachedBySending = sentBps;
      this.#flat = 0;
      return false;
    }
    if (sentBps < GROWTH * this.#reachedBySending) return false;
    this.#flat++;
    return this.#flat >= FLAT_ROUNDS || losses.ratio > LOSS_MAX;
  }
}
