/**
 * Tells random loss from loss that the rate causes: slow down for a moment and see whether the loss goes away. Random
 * loss does not care; an overflowing shallow buffer or a policer does. Source: docs/rate-control.md §4.3.
 */
import { MILLISECOND, type Micros, SECOND } from '../base/protocol.ts';
import type { LossHistory, SendHistory } from './history.ts';
import { Law } from './law.ts';

/** The rate during an audit, as a part of what was sent before. */
const SLOW_DOWN = 0.8;
/** Feedback is ignored for a round trip and this long: it speaks of packets sent before the slow-down. */
const SETTLE_US: Micros = 300 * MILLISECOND;
/**
 * Encoders are asked to slow down, and nothing is held back that they make, unless they flood the path and so much is lost
 * without an explanation that media gets lost anyway: a policer must be found. The sender has slowed down when it sends no more than
 * this part of what it sent; one that has not so soon does not follow.
 */
const SLOWED = 0.9;
const SLOWED_WINDOW_US: Micros = 200 * MILLISECOND;
const SLOW_DOWN_MAX_US: Micros = SECOND;
const HEAVY_LOSS: number = Law.LOSS_GUARD;
/** A flood fills at least this part of what it may. */
const FLOOD = 0.9;
/** Then so many packets are watched, for at least and at most so long. */
const PACKETS_WATCHED = 110;
const WATCH_MIN_US: Micros = 200 * MILLISECOND;
const WATCH_MAX_US: Micros = 1_600 * MILLISECOND;
const INTERVAL_US: Micros = 2_500 * MILLISECOND;
/** Proven random loss is proven again so often: a path changes. */
const REPEAT_US: Micros = 20 * SECOND;
/** What `LossHistory` looks back. */
const LOSS_WINDOW_US: Micros = 2 * SECOND;
/** More than this is never believed to be harmless. */
const RANDOM_LOSS_MAX = 0.2;
/** Packets behind a loss estimate that may start an audit. */
const PACKETS_MIN = 80;
/** Loss that fell by so many standard deviations fell with the rate; by fewer than the second, that has to show twice. */
const SUSPICION_DEVIATIONS = 2;
const CERTAIN_DEVIATIONS = 3.5;
/** Within this time. */
const SUSPICION_US: Micros = 15 * SECOND;

/** What an audit found. */
export const Verdict = {
  NONE: 0,
  /** Loss does not depend on the rate: `randomLossRatio` has been set. */
  RANDOM: 1,
  /** Loss fell with the rate: congestion without delay. */
  CONGESTION: 2,
  /** Perhaps: chance does it too, once in some dozens of audits. */
  SUSPICION: 3,
} as const;
/** One of {@link Verdict}. */
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** Owner of the random-loss estimate. */
export class LossAudit {
  /** Loss that does not depend on the rate, 0..0.2. */
  randomLossRatio = 0;
  isRunning = false;
  /** Media that waits may not leave faster either. */
  isHolding = false;
  /** No more than this while running, bits per second. */
  limitBps: number = Number.POSITIVE_INFINITY;
  /** Delivered rate before the audit that ended last, bits per second. */
  deliveredBps = 0;
  /** What was sent before the audit that began last, bits per second. */
  sentBeforeBps = 0;
  #startedAtUs: Micros = 0;
  /** -1: the sender has not slowed down so far. */
  #slowedAtUs: Micros = -1;
  #endedAtUs: Micros = -REPEAT_US;
  #suspectedAtUs: Micros = -SUSPICION_US;
  #lossBefore = 0;
  #packetsBefore = 0;
  #burstFactor = 1;
  #acked = 0;
  #lost = 0;

  /** The drift between audits: the estimate falls freely, and rises freely only while loss is small. */
  follow(history: LossHistory, dtSeconds: number): void {
    if (history.calmPackets < 30) return;
    const loss = history.calmRatio;
    const known = this.randomLossRatio;
    // Less by chance is not less: otherwise an estimate that only audits raise would always be too low.
    const low = Math.min(known, loss + history.deviation(known));
    if (loss < 0.015 && loss > known) this.randomLossRatio += ((loss - known) * dtSeconds) / 2;
    else this.randomLossRatio += Math.max(-known, ((low - known) * dtSeconds) / 4);
  }

  /**
   * True when loss is unexplained, or an old explanation is due for a check, and the sender may be the reason: what it sent
   * in the time that the loss is counted over was near what the path carries.
   */
  isDue(
    history: LossHistory,
    sent: SendHistory,
    capacityBps: number,
    smoothedRttUs: Micros,
    now: Micros,
  ): boolean {
    if (this.isRunning || now - this.#endedAtUs < INTERVAL_US || history.calmPackets < PACKETS_MIN)
      return false;
    if (
      sent.isFarBelow(capacityBps, now) ||
      sent.isFarBelow(capacityBps, now - smoothedRttUs, LOSS_WINDOW_US)
    )
      return false;
    const isOld = this.randomLossRatio > 0.03 && now - this.#endedAtUs > REPEAT_US;
    return isOld || this.#isUnexplained(history);
  }

  #isUnexplained(history: LossHistory): boolean {
    const known = this.randomLossRatio;
    const spread = Math.sqrt((history.burstFactor * Math.max(known, 0.01)) / history.calmPackets);
    return history.calmRatio > known + Math.max(0.015, 3 * spread);
  }

  /** @param rateBps What the path is believed to carry. @param deliveredBps Rate that arrives now. */
  start(
    history: LossHistory,
    sent: SendHistory,
    rateBps: number,
    deliveredBps: number,
    smoothedRttUs: Micros,
    now: Micros,
  ): void {
    this.isRunning = true;
    this.#startedAtUs = now;
    this.#slowedAtUs = -1;
    // The loss told in the last 2 s belongs to what was sent in these 2 s, a round trip before, be it a rate that grew.
    this.#lossBefore = history.calmRatio;
    this.#packetsBefore = history.calmPackets;
    this.#burstFactor = history.burstFactor;
    const leftBy = now - smoothedRttUs;
    this.sentBeforeBps = sent.rate(leftBy - LOSS_WINDOW_US, leftBy);
    this.deliveredBps = deliveredBps;
    const usedBps = Math.min(sent.rate(now - SECOND / 2, now), this.sentBeforeBps);
    this.limitBps = SLOW_DOWN * Math.min(rateBps, usedBps);
    const isFlood = usedBps > FLOOD * rateBps && history.calmRatio > HEAVY_LOSS;
    this.isHolding = isFlood && this.#isUnexplained(history);
    this.#acked = 0;
    this.#lost = 0;
  }

  abort(now: Micros): void {
    this.isRunning = false;
    this.isHolding = false;
    this.limitBps = Number.POSITIVE_INFINITY;
    this.#endedAtUs = now;
  }

  /** What one feedback told, while running. */
  onFeedback(acked: number, lost: number, sent: SendHistory, smoothedRttUs: Micros, now: Micros): Verdict {
    if (!this.#hasSlowed(sent, now)) return Verdict.NONE;
    const fromUs = Math.max(this.#startedAtUs + SETTLE_US, this.#slowedAtUs);
    const watchFrom = fromUs + smoothedRttUs;
    if (now < watchFrom) return Verdict.NONE;
    this.#acked += acked;
    this.#lost += lost;
    const packets = this.#acked + this.#lost;
    const watched = now - watchFrom;
    if (watched < WATCH_MIN_US || (packets < PACKETS_WATCHED && watched < WATCH_MAX_US)) return Verdict.NONE;
    this.abort(now);
    return this.#judge(packets, sent.rate(fromUs, now - smoothedRttUs));
  }

  /** Notes when the sender slows down. One that does not is let go. */
  #hasSlowed(sent: SendHistory, now: Micros): boolean {
    if (this.#slowedAtUs >= 0) return true;
    if (sent.rate(now - SLOWED_WINDOW_US, now) <= SLOWED * this.sentBeforeBps) {
      this.#slowedAtUs = now;
      return true;
    }
    if (now - this.#startedAtUs > SLOW_DOWN_MAX_US) this.abort(now);
    return false;
  }

  #judge(packets: number, sentBps: number): Verdict {
    const before = this.#lossBefore;
    const after = Math.max(0, this.#lost) / Math.max(1, packets);
    // The sender did not follow (it had too little to send before, or a resend storm): inconclusive.
    if (sentBps > SLOWED * this.sentBeforeBps) return Verdict.NONE;
    const ifOverflow = Math.max(0, 1 - ((1 - before) * this.sentBeforeBps) / Math.max(sentBps, 1));
    const middle = Math.max(0.005, (before + after) / 2);
    // Losses that come in runs stray further from their mean.
    const variance = this.#burstFactor * middle * (1 / this.#packetsBefore + 1 / Math.max(1, packets));
    const deviation = Math.sqrt(variance);
    if (after < (before + ifOverflow) / 2 && before - after >= SUSPICION_DEVIATIONS * deviation) {
      const isSecond = this.#endedAtUs - this.#suspectedAtUs < SUSPICION_US;
      this.#suspectedAtUs = this.#endedAtUs;
      if (!isSecond && before - after < CERTAIN_DEVIATIONS * deviation) return Verdict.SUSPICION;
      // Random loss may hide behind it, but no more than was left at the lower rate; the next audit finds out.
      this.randomLossRatio = Math.min(this.randomLossRatio, after / 2);
      return Verdict.CONGESTION;
    }
    this.#suspectedAtUs = -SUSPICION_US;
    this.randomLossRatio = Math.min(RANDOM_LOSS_MAX, (before + after) / 2);
    return Verdict.RANDOM;
  }
}
