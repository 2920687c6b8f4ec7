/**
 * Figures from frames: latency, what was on time, what a decoder could show, where the picture stood still. In: the
 * records of one source. Out: counts and milliseconds. A frame that never arrives has infinite latency (DESIGN D14).
 */
import type { Micros } from '../base/protocol.ts';
import type { LabFrame } from './frames.ts';

/** Bounds for `decodable`, milliseconds from the sending call. */
export const DECODABLE_WITHIN_MS: readonly number[] = [100, 150, 200, 400];
/** A picture that stands for longer than this counts as a gap. */
export const GAP_MS = 200;
/** The freeze rule of webrtc-stats (`freezeCount`): longer than 3 mean intervals and than the mean by 150 ms. */
const FREEZE_FACTOR = 3;
const FREEZE_MARGIN_US: Micros = 150_000;
/** Frames that the mean interval is taken over. */
const FREEZE_FRAMES = 30;
/** Points of a latency curve: the quantiles 0, 1/n, ... 1. */
const CURVE_POINTS = 100;

/** Milliseconds; `Infinity` where the frame in question never arrived. */
export interface LatencySummary {
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** How often and how long the picture stood still. */
export interface StallSummary {
  readonly count: number;
  readonly totalMs: number;
}

/** What became of the frames of one source in one stretch of time. */
export interface PhaseSummary {
  readonly frames: number;
  readonly mediaBytes: number;
  readonly delivered: number;
  /** Delivered within one-way delay + latency + their own serialisation. */
  readonly onTime: number;
  readonly latency: LatencySummary;
  /** Frames that could be shown within {@link DECODABLE_WITHIN_MS}: they and all earlier ones of their group are there. */
  readonly decodable: readonly number[];
  readonly freezes: StallSummary;
  /** Longer than {@link GAP_MS}. */
  readonly gaps: StallSummary;
  /** Latency at the quantiles 0, 0.01, ... 1, ms. */
  readonly latencyCurveMs: readonly number[];
}

/** What decides about lateness. */
export interface Budget {
  readonly oneWayDelayUs: Micros;
  readonly latencyUs: Micros;
  /** Of the slowest link, 0 if it has no rate. */
  readonly rateBps: number;
}

/** The smallest value that at least `share` of the values do not exceed. `sorted` ascending, not empty. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] as number;
}

/** Quantiles of latencies (ms, any order); all 0 for none. */
export function summarizeLatency(latenciesMs: Float64Array): LatencySummary {
  const sorted = latenciesMs.slice().sort();
  if (sorted.length === 0) return { p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 };
  return {
    p50Ms: quantile(sorted, 0.5),
    p95Ms: quantile(sorted, 0.95),
    p99Ms: quantile(sorted, 0.99),
    maxMs: quantile(sorted, 1),
  };
}

/** True when the frame arrived within its budget. */
export function isOnTime(frame: LabFrame, budget: Budget): boolean {
  const serialisationUs = budget.rateBps > 0 ? (frame.sizeBytes * 8e6) / budget.rateBps : 0;
  return frame.deliveredAtUs - frame.sentAtUs <= budget.oneWayDelayUs + budget.latencyUs + serialisationUs;
}

/**
 * When each frame could be shown: once it and every earlier frame of its group were there; `Infinity` for never.
 * A frame before the first key frame of a run needs what came before it in the run.
 */
export function showableAtUs(frames: readonly LabFrame[], groupFrames: number): Float64Array {
  const at = new Float64Array(frames.length);
  let latest = 0;
  for (let i = 0; i < frames.length; i++) {
    const frame = frames[i] as LabFrame;
    at[i] = Number.POSITIVE_INFINITY;
    if (frame.isSkipped) continue;
    latest =
      groupFrames === 1 || frame.isKeyFrame ? frame.deliveredAtUs : Math.max(latest, frame.deliveredAtUs);
    at[i] = latest;
  }
  return at;
}

/**
 * Stretches in which nothing new was shown, from the last frame shown before `fromUs` to `untilUs`.
 *
 * @param shownAtUs When frames could be shown, in the order of sending; a frame later than one sent after it is not
 * shown.
 */
export function findStalls(
  shownAtUs: Float64Array,
  fromUs: Micros,
  untilUs: Micros,
): { readonly freezes: StallSummary; readonly gaps: StallSummary } {
  const freezes = { count: 0, totalMs: 0 };
  const gaps = { count: 0, totalMs: 0 };
  const recent: number[] = [];
  let last = Number.NaN;
  const onInterval = (end: Micros): void => {
    const interval = end - last;
    if (end > fromUs && recent.length > 0) {
      let sum = 0;
      for (const value of recent) sum += value;
      const mean = sum / recent.length;
      if (interval > Math.max(FREEZE_FACTOR * mean, mean + FREEZE_MARGIN_US)) add(freezes, interval);
    }
    if (end > fromUs && interval > GAP_MS * 1_000) add(gaps, interval);
    recent.push(interval);
    if (recent.length > FREEZE_FRAMES) recent.shift();
  };
  for (const at of sortedFinite(shownAtUs)) {
    if (at > untilUs) break;
    if (!Number.isNaN(last)) onInterval(at);
    last = at;
  }
  if (Number.isNaN(last)) last = fromUs;
  if (untilUs > last) onInterval(untilUs);
  return { freezes, gaps };
}

function add(stalls: { count: number; totalMs: number }, us: Micros): void {
  stalls.count++;
  stalls.totalMs += us / 1_000;
}

function sortedFinite(values: Float64Array): Float64Array {
  return values.filter((value) => value !== Number.POSITIVE_INFINITY).sort();
}

/**
 * Sums up the frames offered in [fromUs, untilUs).
 *
 * @param frames All frames of the run: a frame of the stretch may need one from before it.
 */
export function summarize(
  frames: readonly LabFrame[],
  groupFrames: number,
  budget: Budget,
  fromUs: Micros,
  untilUs: Micros,
): PhaseSummary {
  const shownAtUs = showableAtUs(frames, groupFrames);
  const chosen = frames.filter((frame) => frame.sentAtUs >= fromUs && frame.sentAtUs < untilUs);
  const latencies = Float64Array.from(chosen, (frame) => (frame.deliveredAtUs - frame.sentAtUs) / 1_000);
  const sorted = latencies.slice().sort();
  const decodable = DECODABLE_WITHIN_MS.map(
    (ms) =>
      chosen.filter((frame) => (shownAtUs[frame.index] as number) - frame.sentAtUs <= ms * 1_000).length,
  );
  // The last frames of the stretch cannot be shown before they have travelled.
  const endUs = untilUs + budget.oneWayDelayUs;
  return {
    frames: chosen.length,
    mediaBytes: chosen.reduce((sum, frame) => sum + frame.sizeBytes, 0),
    delivered: chosen.filter((frame) => frame.deliveredAtUs !== Number.POSITIVE_INFINITY).length,
    onTime: chosen.filter((frame) => isOnTime(frame, budget)).length,
    latency: summarizeLatency(latencies),
    decodable,
    ...findStalls(shownAtUs, fromUs, endUs),
    latencyCurveMs:
      sorted.length === 0
        ? []
        : Array.from({ length: CURVE_POINTS + 1 }, (_, i) => quantile(sorted, i / CURVE_POINTS)),
  };
}
