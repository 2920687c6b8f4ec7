/**
 * A share beside flows that fill the queue until packets are lost: the target follows a window shaped like CUBIC's. In:
 * the queue that would not drain, losses. Out: target. Left when the queue empties by itself, or when slowing down
 * empties it: then it was ours. Source: docs/rate-control.md §4.7; RFC 9438 §4.
 */
import { MILLISECOND, type Micros, SECOND } from '../base/protocol.ts';
import type { Estimate } from './estimate.ts';
import type { Signals } from './signals.ts';

const CUBIC_C = 0.4;
const CUBIC_BETA = 0.7;
/** RFC 9438 §4.7. */
const FAST_CONVERGENCE = 0.85;
/** Growth of a Reno-like window, segments per round trip: RFC 9438 §4.3. */
const RENO_GROWTH: number = (3 * (1 - CUBIC_BETA)) / (1 + CUBIC_BETA);
const SEGMENT_BITS = 8 * 1200;
const WINDOW_MIN = 3;
/** A window is at most this much more than what arrives, plus so many segments. */
const WINDOW_OVER_DELIVERED = 1.5;
const WINDOW_SPARE = 4;
/** And no more than this is sent, as a multiple of what arrives. */
const PACE_OVER_DELIVERED = 1.25;

/** A queue is somebody else's when its median over the last 4 s is above this... */
const FOREIGN_QUEUE_US: Micros = 50 * MILLISECOND;
const MEMORY_STEP_US: Micros = 50 * MILLISECOND;
const MEMORY_STEPS = 80;
/** ... and it has not answered so often, for so long; or has been there nearly all that time. */
const UNANSWERED_MIN = 4;
const DRAIN_MIN_US: Micros = 1_500 * MILLISECOND;
const STANDING_MIN_US: Micros = 3_500 * MILLISECOND;
const STANDING_DRAIN_MIN_US: Micros = 400 * MILLISECOND;

/** It is over when the queue has been short for this long. */
const EMPTY_US: Micros = 2_500 * MILLISECOND;
/** So often the rate is lowered to this part for a moment: does the queue follow as it would if it were ours? */
const TEST_EVERY_US: Micros = 8 * SECOND;
const TEST_PART = 0.6;
const TEST_MIN_US: Micros = 600 * MILLISECOND;
/** It must fall by this part of what the lower rate explains, which must be at least so much. */
const TEST_ANSWER = 0.6;
const TEST_EXPLAINED_US: Micros = 50 * MILLISECOND;
/** Whoever was wrong believes less easily in others: times this, at most so many times. */
const DOUBT = 1.5;
const DOUBT_MAX = 3;

/** Where a median is found: used within one call, by all connections. */
const scratch: Float64Array = new Float64Array(MEMORY_STEPS);

/** The queue over the last 4 s, in steps of 50 ms. */
class QueueMemory {
  readonly #queues: Float64Array = new Float64Array(MEMORY_STEPS);
  #step = -1;
  #first = 0;

  note(queueUs: Micros, now: Micros): void {
    const step = Math.floor(now / MEMORY_STEP_US);
    // After a gap the memory begins anew: nobody knows what the queue was.
    if (step > this.#step + MEMORY_STEPS || this.#step < 0) this.#first = step;
    else for (let i = this.#step + 1; i < step; i++) this.#queues[i % MEMORY_STEPS] = queueUs;
    this.#step = step;
    this.#queues[step % MEMORY_STEPS] = queueUs;
  }

  get spanUs(): Micros {
    return Math.min(MEMORY_STEPS, this.#step - this.#first) * MEMORY_STEP_US;
  }

  median(): Micros {
    const count = Math.min(MEMORY_STEPS, this.#step - this.#first + 1);
    const sorted = scratch.subarray(0, count);
    for (let i = 0; i < count; i++) sorted[i] = this.#queues[(this.#step - i) % MEMORY_STEPS] as number;
    sorted.sort();
    return sorted[count >> 1] as number;
  }
}

export class CompetePhase {
  readonly #memory: QueueMemory = new QueueMemory();
  #doubt = 1;
  /** Segments. */
  #window = 0;
  #windowMax = 0;
  #renoWindow = 0;
  #epochUs: Micros = 0;
  #cutAtUs: Micros = 0;
  #emptyFromUs: Micros = -1;
  // The test in progress, if any.
  #testFromUs: Micros = -1;
  #testQueueUs: Micros = 0;
  #testBps = 0;
  #explainedUs: Micros = 0;
  #testedAtUs: Micros = 0;

  /** Once per step, in every phase. */
  note(signals: Signals): void {
    this.#memory.note(signals.queueUs, signals.now);
  }

  reset(): void {
    this.#doubt = 1;
  }

  /** True when a queue that is being drained is somebody else's. */
  isDue(startedAtUs: Micros, unanswered: number, now: Micros): boolean {
    const drainingUs = now - startedAtUs;
    const isStubborn = unanswered >= UNANSWERED_MIN && drainingUs > DRAIN_MIN_US;
    const isStanding = this.#memory.spanUs >= STANDING_MIN_US && drainingUs > STANDING_DRAIN_MIN_US;
    return (isStubborn || isStanding) && this.#memory.median() > FOREIGN_QUEUE_US * this.#doubt;
  }

  /** @param sentBps What was sent before the drain. */
  begin(signals: Signals, estimate: Estimate, sentBps: number): void {
    const { now } = signals;
    estimate.targetBps = Math.max(estimate.targetBps, CUBIC_BETA * sentBps);
    this.#window = Math.max(WINDOW_MIN, this.#segments(estimate.targetBps, signals));
    this.#windowMax = this.#window;
    this.#renoWindow = this.#window;
    this.#epochUs = now;
    this.#cutAtUs = now;
    this.#testedAtUs = now;
    this.#testFromUs = -1;
    this.#emptyFromUs = -1;
  }

  #segments(bps: number, signals: Signals): number {
    return (bps * signals.smoothedRttUs) / 1e6 / SEGMENT_BITS;
  }

  /** Returns true when nobody competes any more. */
  step(signals: Signals, estimate: Estimate, randomLoss: number): boolean {
    const { queueUs, aimUs, now, longBps } = signals;
    if (queueUs >= aimUs) this.#emptyFromUs = -1;
    else if (this.#emptyFromUs < 0) this.#emptyFromUs = now;
    if (this.#emptyFromUs >= 0 && now - this.#emptyFromUs > EMPTY_US) {
      return this.#leave(estimate, estimate.targetBps, now);
    }
    const carried = longBps / (1 - randomLoss);
    if (this.#testFromUs >= 0) return this.#stepTest(signals, estimate, carried);
    const isQuiet = now - this.#cutAtUs > 1.5 * signals.smoothedRttUs + SECOND / 2;
    if (now - this.#testedAtUs > TEST_EVERY_US && isQuiet && carried > 0) {
      this.#testFromUs = now;
      this.#testQueueUs = queueUs;
      this.#testBps = carried;
      this.#explainedUs = 0;
      return false;
    }
    this.#follow(signals, carried, randomLoss);
    const windowBps = (this.#window * SEGMENT_BITS * 1e6) / signals.smoothedRttUs;
    // A round trip that shortens for a moment is no reason to send more: windows move by what is acknowledged.
    estimate.targetBps = carried > 0 ? Math.min(windowBps, PACE_OVER_DELIVERED * carried) : windowBps;
    estimate.believe(estimate.targetBps);
    return false;
  }

  #follow(signals: Signals, carried: number, randomLoss: number): void {
    const { now, smoothedRttUs, dt, acked, lost } = signals;
    const roundTrips = (dt * 1e6) / smoothedRttUs;
    if (lost > randomLoss * Math.max(20, acked) && now - this.#cutAtUs > smoothedRttUs) {
      this.#windowMax = this.#window >= this.#windowMax ? this.#window : FAST_CONVERGENCE * this.#window;
      this.#window = Math.max(WINDOW_MIN, CUBIC_BETA * this.#window);
      this.#renoWindow = this.#window;
      this.#epochUs = now;
      this.#cutAtUs = now;
    } else {
      const seconds = (now - this.#epochUs + smoothedRttUs) / 1e6;
      const k = Math.cbrt((this.#windowMax * (1 - CUBIC_BETA)) / CUBIC_C);
      const cubic = this.#windowMax + CUBIC_C * (seconds - k) ** 3;
      this.#renoWindow += RENO_GROWTH * roundTrips;
      const aim = Math.min(cubic, this.#window * (1 + roundTrips / 2));
      this.#window = Math.max(this.#window, aim, this.#renoWindow);
    }
    if (carried > 0) {
      const limit = WINDOW_OVER_DELIVERED * this.#segments(carried, signals) + WINDOW_SPARE;
      this.#window = Math.min(this.#window, limit);
    }
  }

  /** A lower rate for a moment: a queue of our own empties by what is sent less. */
  #stepTest(signals: Signals, estimate: Estimate, carried: number): boolean {
    const { now, queueUs, dt, smoothedRttUs } = signals;
    this.#explainedUs += dt * 1e6 * Math.max(0, 1 - estimate.targetBps / Math.max(carried, 1));
    estimate.targetBps = TEST_PART * this.#testBps;
    if (now - this.#testFromUs <= Math.max(TEST_MIN_US, 1.5 * smoothedRttUs)) return false;
    const fell = this.#testQueueUs - queueUs;
    const isOurs = this.#explainedUs > TEST_EXPLAINED_US && fell > TEST_ANSWER * this.#explainedUs;
    this.#testFromUs = -1;
    this.#testedAtUs = now;
    if (!isOurs) return false;
    this.#doubt = Math.min(DOUBT_MAX, this.#doubt * DOUBT);
    return this.#leave(estimate, 0.97 * carried, now);
  }

  #leave(estimate: Estimate, bps: number, now: Micros): boolean {
    estimate.believe(bps);
    estimate.noteCut(false, now);
    return true;
  }
}
