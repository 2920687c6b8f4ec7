/**
 * The beginning: the rate doubles every round trip while enough is sent, and grows gently with probes while it is not,
 * until a queue, or a delivery rate that grows no more, shows the capacity. Source: docs/rate-control.md §4.6; BBR's
 * start (draft-ietf-ccwg-bbr §5.3.1).
 */
import { MILLISECOND, type Micros, NEVER } from '../base/protocol.ts';
import type { Estimate } from './estimate.ts';
import { Law } from './law.ts';
import type { Signals } from './signals.ts';
import { StartRounds } from './start-rounds.ts';

/** A queue that ended the start cannot be gone again sooner than what ended with it can show, or than this. */
const DOUBT_US: Micros = 150 * MILLISECOND;
/** It is gone when less than this part of the queue aimed at is left; and jitter explains it that was so much of it. */
const GONE = 0.25;
const EXPLAINS = 0.5;
/**
 * What is believed beyond proof lasts as long as it is made use of: who sends less than this part of the target, over a
 * round trip and no less than this time, may send so many times what has arrived, or a train has shown, and no more.
 */
const USED_PART = 0.5;
const USED_MIN_US: Micros = 100 * MILLISECOND;
const BELIEVED = 1.3;

export class StartPhase {
  readonly #rounds: StartRounds = new StartRounds();
  /** When a queue ended the start, and what queue. */
  #endedAtUs: Micros = -NEVER;
  #queueUs: Micros = 0;
  /** When what arrived raised the target last. */
  #raisedAtUs: Micros = -NEVER;

  reset(): void {
    this.#rounds.reset();
    this.#endedAtUs = -NEVER;
  }

  /** True if what ended the start was jitter: it has gone before a lower rate could make it go. Then it goes on. */
  wasTooSoon(signals: Signals): boolean {
    const { now, queueUs, aimUs, emptyRttUs, jitter } = signals;
    if (now - this.#endedAtUs > Math.max(emptyRttUs, DOUBT_US)) return false;
    if (queueUs > GONE * aimUs || jitter.mostUs < EXPLAINS * this.#queueUs) return false;
    this.#endedAtUs = -NEVER;
    return true;
  }

  /**
   * Returns true when the capacity is known: the start is over.
   *
   * @param isProbing A train is under way: what arrives is more than what is sent otherwise.
   */
  step(signals: Signals, estimate: Estimate, randomLoss: number, isProbing: boolean): boolean {
    const { now, smoothedRttUs, queueUs, aimUs, delivery } = signals;
    const window = Math.max(30 * MILLISECOND, Math.min(smoothedRttUs, Law.LONG_US));
    const delivered = delivery.over(window);
    if (Number.isNaN(delivered)) return false;
    // On a short path the last packets of a media frame leave after its first were acknowledged, as if there were always
    // more to send: only 300 ms show the pauses between the frames.
    const isLimited = isProbing || delivery.isAppLimited || signals.isLimited;
    // A path is full when it delivers less than was sent; a rate that is flat because no more was sent proves nothing.
    const leftBy = now - smoothedRttUs;
    const sent = signals.sent.rate(leftBy - window, leftBy);
    const provesNothing = isLimited || sent <= Law.PRESSED * delivered;
    const isFull = this.#rounds.onFeedback(
      delivered,
      sent,
      provesNothing,
      signals.losses,
      smoothedRttUs,
      now,
    );
    if (queueUs > 0.5 * aimUs || isFull) {
      // A path that is full without a queue to show has a shallow buffer, full to the brim: leave it room.
      // A burst of media fills a part of the window only: what an earlier round carried counts as well.
      const carried = Math.max(delivered, this.#rounds.reachedBps);
      if (!isLimited) estimate.capacityBps = ((isFull ? 0.95 : 1) * carried) / (1 - randomLoss);
      if (isFull) estimate.noteCut(true, now);
      this.#endedAtUs = isFull ? -NEVER : now;
      this.#queueUs = queueUs;
      signals.delivered.note(delivered, now);
      estimate.targetBps = estimate.capacityBps;
      estimate.clampAll();
      return true;
    }
    estimate.believe(Math.max(estimate.capacityBps, delivered / (1 - randomLoss)));
    this.#steer(signals, estimate, delivered, isLimited);
    return false;
  }

  #steer(
    { now, dt, smoothedRttUs, sent }: Signals,
    estimate: Estimate,
    delivered: number,
    isLimited: boolean,
  ): void {
    const { targetBps } = estimate;
    if (!isLimited && this.#rounds.gain * delivered > targetBps) {
      estimate.targetBps = this.#rounds.gain * delivered;
      this.#raisedAtUs = now;
    } else if (isLimited && targetBps < 1.3 * delivered + 20_000) {
      // Too little is sent to prove more: grow gently, and let probes do the rest.
      estimate.targetBps *= 1 + Math.min(1, 2 * dt);
    }
    const usedUs = Math.max(USED_MIN_US, smoothedRttUs);
    if (now - this.#raisedAtUs > usedUs && sent.rate(now - usedUs, now) < USED_PART * targetBps) {
      estimate.targetBps = Math.min(estimate.targetBps, BELIEVED * estimate.capacityBps);
    }
    estimate.targetBps = estimate.clamp(estimate.targetBps);
  }
}
