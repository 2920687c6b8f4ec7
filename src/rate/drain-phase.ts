/**
 * A cut and what follows: the rate at which the queue empties in 0.4 s, measured again each round trip, until the queue
 * is short. A queue that stays whatever is done belongs to somebody else. Source: docs/rate-control.md §4.2, §4.7.
 */
import { MILLISECOND, type Micros } from '../base/protocol.ts';
import type { Estimate } from './estimate.ts';
import { Law } from './law.ts';
import { drainPart } from './queue-law.ts';
import type { Signals } from './signals.ts';

/** The rate is measured again a round trip and this long after the last time. */
const AGAIN_US: Micros = 50 * MILLISECOND;
/** A queue that has not fallen below this part of what it was then has not answered. */
const ANSWERED = 0.75;
/**
 * Less than this part of what arrived over 300 ms is a path that carries less than before; as much more, a flow that has
 * grown. Anything between is a packet or two that came early or late: cut to that, flows of a few packets per 100 ms
 * would push each other about.
 */
const SAME = 0.75;

/** How a drain goes. */
export const Drained = {
  NOT_YET: 0,
  DONE: 1,
  /** After 8 s it cannot be a queue: the base delay was wrong. */
  HOPELESS: 2,
} as const;
export type Drained = (typeof Drained)[keyof typeof Drained];

export class DrainPhase {
  /** When the drain began. */
  startedAtUs: Micros = 0;
  /** Measurements in a row that the queue did not answer to. */
  unanswered = 0;
  #queueBeforeUs: Micros = 0;

  /** Cuts. False when nothing is known to cut to. */
  begin(signals: Signals, estimate: Estimate, randomLoss: number): boolean {
    const short = signals.shortBps;
    if (Number.isNaN(short)) return false;
    // What has arrived as it was sent says how little that was, and nothing of the path: what came before it does.
    const isAsSent = signals.delivery.stretch < Law.PRESSED;
    const instant = signals.delivery.over(Law.INSTANT_US);
    const latest = Math.min(short, Math.max(instant, 0.6 * short));
    const long = signals.delivery.over(Law.LONG_US);
    const arrives = isAsSent && long > latest ? long : settled(latest, long);
    estimate.believe(arrives / (1 - randomLoss));
    estimate.noteCut(false, signals.now);
    this.startedAtUs = signals.now;
    this.unanswered = 0;
    this.#queueBeforeUs = signals.queueUs;
    this.#lower(signals, estimate);
    return true;
  }

  step(signals: Signals, estimate: Estimate, randomLoss: number): Drained {
    const { queueUs, aimUs, now } = signals;
    if (queueUs <= 0.8 * aimUs) {
      estimate.capacityBps = Math.min(estimate.capacityBps, 0.97 * estimate.cutBps);
      estimate.targetBps = estimate.capacityBps;
      return Drained.DONE;
    }
    if (now - this.startedAtUs > Law.DRAIN_MAX_US) return Drained.HOPELESS;
    const short = signals.delivery.over(Law.SHORT_US, true);
    if (Number.isNaN(short) || now - estimate.cutAtUs <= signals.smoothedRttUs + AGAIN_US) {
      return Drained.NOT_YET;
    }
    const { cutBps } = estimate;
    const arrives = settled(short, signals.delivery.over(Law.LONG_US, true)) / (1 - randomLoss);
    estimate.believe(arrives > cutBps / 2 ? Math.min(cutBps, arrives) : arrives);
    estimate.noteCut(false, now);
    this.unanswered = queueUs > ANSWERED * this.#queueBeforeUs ? this.unanswered + 1 : 0;
    this.#queueBeforeUs = queueUs;
    this.#lower(signals, estimate);
    return Drained.NOT_YET;
  }

  #lower(signals: Signals, estimate: Estimate): void {
    const { queueUs, growth, smoothedRttUs } = signals;
    const drained = drainPart(queueUs, growth, smoothedRttUs) * estimate.cutBps;
    estimate.targetBps = Math.min(estimate.targetBps, drained);
  }
}

/** What arrives: over 300 ms, unless it has changed since. Bits per second; `longBps` may be NaN. */
function settled(latestBps: number, longBps: number): number {
  const isSame = latestBps > SAME * longBps && longBps > SAME * latestBps;
  return isSame ? longBps : latestBps;
}
