/**
 * Lowers the rate for a moment when the path's base delay has not been seen for long: a queue that always stands a
 * little would otherwise become the base, and the next one stand upon it. Source: BBR's ProbeRTT, LEDBAT's slowdown
 * (RFC 6817 §4.4), with a dip only as deep and long as the queue that is known of.
 */
import { MILLISECOND, type Micros, NEVER, SECOND } from '../base/protocol.ts';

/** A base older than this is looked for. */
const BASE_SEEN_US: Micros = 10 * SECOND;
/** The longest dip, and what feedback needs on top of it. */
const DRAINED_MAX_US: Micros = 80 * MILLISECOND;
const FEEDBACK_US: Micros = 60 * MILLISECOND;

/** One path. */
export class BaseDip {
  /** Rate during a dip, as a part of capacity. */
  readonly part: number = 0.75;
  #untilUs: Micros = -1;
  #nextUs: Micros = NEVER;
  /** A queue that may be hidden in the base. */
  #doubtUs: Micros = 0;

  isActive(now: Micros): boolean {
    return now < this.#untilUs;
  }

  /** Steady sending has begun. */
  arm(now: Micros): void {
    if (this.#nextUs === NEVER) this.#nextUs = now + BASE_SEEN_US;
  }

  disarm(): void {
    this.#nextUs = NEVER;
    this.#untilUs = -1;
    this.#doubtUs = 0;
  }

  /** The path was taken for `stepUs` longer while it was full: half a second from now, is it? */
  verify(stepUs: Micros, now: Micros): void {
    this.#nextUs = now + SECOND / 2;
    this.#doubtUs = stepUs;
  }

  /** Begins a dip when one is due. @param baseSeenAtUs When a delay near the base was seen last. */
  step(queueUs: Micros, baseSeenAtUs: Micros, now: Micros): void {
    if (now < this.#nextUs) return;
    this.#nextUs = now + SECOND;
    if (this.#doubtUs === 0 && now - baseSeenAtUs < BASE_SEEN_US) return;
    this.#nextUs = now + BASE_SEEN_US;
    const knownUs = queueUs + this.#doubtUs;
    this.#doubtUs = 0;
    // At three quarters of the rate a queue of q is gone after 4 q.
    this.#untilUs = now + 4 * Math.min(knownUs, DRAINED_MAX_US) + FEEDBACK_US;
  }
}
