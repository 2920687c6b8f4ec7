/**
 * How much queue is right and what to do about too much: the pure parts of the control law.
 * Source: docs/rate-control.md §4.1, §4.2.
 */
import { MILLISECOND, type Micros } from '../base/protocol.ts';

/** More queue than this is cut even if it shrinks. */
const QUEUE_MAX_US: Micros = 80 * MILLISECOND;
const TARGET_MIN_US: Micros = 10 * MILLISECOND;
const TARGET_MAX_US: Micros = 40 * MILLISECOND;
/** Proportional gain on the queue error, per second; and its bounds. */
const ERROR_GAIN = 2;
const ERROR_MIN = -0.25;
const ERROR_MAX = 0.05;
/** A drain empties any queue within this many seconds, by construction of its rate. */
const DRAIN_SECONDS = 0.4;
/** Growth per second while the queue is short, and near the rate of the last cut (§4.2). */
const GROWTH = 0.1;
const GROWTH_NEAR = 0.04;
/**
 * The same while bulk fills every packet and the queue stays empty: a path that answers at once shows its limit as 5 ms
 * of queue within 0.1 s of passing it. Media, which is limited by its encoder, finds more by probes. The cut may have
 * been a busy host's doing.
 */
const OPEN_GROWTH = 1;
/** On short paths the limit shows sooner: growth in 50 ms worth of round trips, up to this. */
const OPEN_GROWTH_MAX = 3;
const OPEN_RTT_US: Micros = 50 * MILLISECOND;
const OPEN_GROWTH_NEAR = 0.25;
const OPEN_QUEUE = 0.2;
/** Loss beyond the random kind at which a path no longer counts as open. */
const OPEN_LOSS_MAX = 0.005;

/**
 * Jitter beyond this leaves a rest in the least delay of any window, which must not be taken for a queue: a third of
 * the excess, up to so much.
 */
const JITTER_FREE_US: Micros = 15 * MILLISECOND;
const JITTER_PART = 1 / 3;
const JITTER_REST_MAX_US: Micros = 25 * MILLISECOND;

/**
 * The queue aimed at: so much, and so much more by the root of 1 Mbit/s over the target. The second part is what makes
 * shares equal: the more of it, the sooner.
 */
const TARGET_FIXED_US: Micros = 2 * MILLISECOND;
const TARGET_FAIR_US: Micros = 19 * MILLISECOND;

/** The queue that is aimed at, us: smaller flows tolerate more, which makes shares equal. */
export function queueTargetUs(targetBps: number, jitterUs: Micros = 0): Micros {
  const micros = TARGET_FIXED_US + TARGET_FAIR_US * Math.sqrt(1e6 / Math.max(targetBps, 100_000));
  const restUs = Math.min(JITTER_PART * Math.max(0, jitterUs - JITTER_FREE_US), JITTER_REST_MAX_US);
  return Math.max(TARGET_MIN_US, Math.min(micros, TARGET_MAX_US)) + restUs;
}

/** The target rate as a multiple of capacity: below 1 while the queue is longer than aimed at. */
export function steer(queueUs: Micros, targetUs: Micros): number {
  const error = (ERROR_GAIN * (targetUs - queueUs)) / 1e6;
  return 1 + Math.max(ERROR_MIN, Math.min(ERROR_MAX, error));
}

/** True when steering is not enough. @param growth Change of the queue, seconds per second. */
export function isQueueExcessive(queueUs: Micros, targetUs: Micros, growth: number): boolean {
  const high = Math.max(2.2 * targetUs, targetUs + 25 * MILLISECOND);
  return (queueUs > high && growth > 0) || queueUs > QUEUE_MAX_US;
}

/** Part of the capacity that drains the queue, and what half a round trip adds to it, in 0.4 s. */
export function drainPart(queueUs: Micros, growth: number, smoothedRttUs: Micros): number {
  const aheadUs = (Math.max(0, Math.min(growth, 1.5)) * smoothedRttUs) / 2;
  return Math.max(0.35, Math.min(0.93, 1 - (queueUs + aheadUs) / (DRAIN_SECONDS * 1e6)));
}

/**
 * How fast the capacity estimate grows while nothing shows a limit, per second; 0 from 0.6 of the queue aimed at.
 *
 * @param excessLoss Loss beyond what is known for random, 0..1.
 * @param isBulk Everything that may leave leaves.
 * @param isNear The estimate is near the rate of a recent cut.
 */
export function growthPerSecond(
  queueUs: Micros,
  targetUs: Micros,
  excessLoss: number,
  isBulk: boolean,
  isNear: boolean,
  smoothedRttUs: Micros,
): number {
  const isFast = isBulk && excessLoss <= OPEN_LOSS_MAX && queueUs < OPEN_QUEUE * targetUs;
  const open = Math.max(OPEN_GROWTH, Math.min(OPEN_GROWTH_MAX, OPEN_RTT_US / Math.max(1, smoothedRttUs)));
  const growth = isFast ? (isNear ? OPEN_GROWTH_NEAR : open) : isNear ? GROWTH_NEAR : GROWTH;
  return growth * Math.max(0, 1 - queueUs / (0.6 * targetUs));
}

/** Below this round trip a limit shows within a few control steps. */
const SHORT_PATH_US: Micros = 20 * MILLISECOND;
/** A cut is remembered so long. */
const CUT_MEMORY_US: Micros = 10_000 * MILLISECOND;

/**
 * True while the estimate is near, or beyond, where a limit was met lately. Well beyond it on a short path, where the
 * limit would show at once, that limit was a busy host's and not the path's.
 *
 * @param part Capacity now as a part of that at the cut; Infinity before the first.
 */
export function isNearCut(part: number, sinceUs: Micros, smoothedRttUs: Micros): boolean {
  const isPassed = smoothedRttUs < SHORT_PATH_US && part > 1.2;
  return part > 0.9 && !isPassed && sinceUs < CUT_MEMORY_US;
}
