/**
 * What is measured in a run, as RFC 8868 §3 asks for: use of the bottleneck, queue delay, reaction to change, fairness,
 * frames on time. Pure functions of the record. Times are seconds, rates bits per second, delays milliseconds.
 */
import { BIN_MS, type FlowResult, type RunResult } from './result.ts';

const BIN_S: number = BIN_MS / 1000;
/** Windows over which a reaction is seen: RFC 8868 §3 (200 ms), and longer than a group of frames for a rise. */
const FALL_WINDOW_S = 0.2;
const RISE_WINDOW_S = 0.5;
/** What counts as the new rate after a rise. */
const RISE_PART = 0.9;
/** Fairness is judged over windows of this length. */
const FAIR_WINDOW_S = 20;

/** What `flow` could have used: the capacity, or what its encoder makes at most. Mean over [fromS, toS). */
export function achievableBps(run: RunResult, fromS: number, toS: number, maxBps: number): number {
  let sum = 0;
  let count = 0;
  for (let t = fromS; t < toS - 1e-9; t += BIN_S) {
    sum += Math.min(run.capacityBps(t), maxBps);
    count++;
  }
  return sum / count;
}

/** Share of the achievable rate that came through the bottleneck. */
export function share(
  run: RunResult,
  flow: FlowResult,
  fromS: number,
  toS: number,
  maxBps: number = Number.POSITIVE_INFINITY,
): number {
  return flow.through.rate(fromS, toS) / achievableBps(run, fromS, toS, maxBps);
}

/** Share of the capacity that all media flows together used. */
export function used(run: RunResult, fromS: number, toS: number): number {
  const sum = run.flows.reduce((total, flow) => total + flow.through.rate(fromS, toS), 0);
  return sum / achievableBps(run, fromS, toS, Number.POSITIVE_INFINITY);
}

/** Queue delay that a part `q` of the packets of these flows did not exceed, ms. */
export function queueMs(flows: readonly FlowResult[], q: number, fromS: number, toS: number): number {
  const waits: number[] = [];
  for (const { waits: all } of flows) {
    for (let i = 0; i < all.us.length; i++) {
      const at = all.atUs[i] as number;
      if (at >= fromS * 1e6 && at < toS * 1e6) waits.push(all.us[i] as number);
    }
  }
  return quantile(waits, q) / 1000;
}

/** Value that a part `q` does not exceed; NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

/** Seconds from a fall of capacity until less than the new capacity is sent. */
export function fallSeconds(run: RunResult, flow: FlowResult, atS: number): number {
  const limit = run.capacityBps(atS + BIN_S);
  for (let t = atS; t < run.seconds - FALL_WINDOW_S; t += BIN_S) {
    if (flow.sent.rate(t, t + FALL_WINDOW_S) < limit) return t - atS;
  }
  return Number.POSITIVE_INFINITY;
}

/** Seconds from a rise of capacity until 90 % of what is achievable comes through. */
export function riseSeconds(run: RunResult, flow: FlowResult, atS: number, maxBps: number): number {
  const wanted = RISE_PART * Math.min(run.capacityBps(atS + BIN_S), maxBps);
  for (let t = atS; t < run.seconds - RISE_WINDOW_S; t += BIN_S) {
    if (flow.through.rate(t, t + RISE_WINDOW_S) >= wanted) return t + RISE_WINDOW_S - atS;
  }
  return Number.POSITIVE_INFINITY;
}

/** Jain's index of shares. */
export function jain(shares: readonly number[]): number {
  const sum = shares.reduce((a, b) => a + b, 0);
  const squares = shares.reduce((a, b) => a + b * b, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
}

/** The least Jain index over windows of 20 s, of the flows that send during the whole window. */
export function fairness(run: RunResult, fromS: number, toS: number): number {
  let least = 1;
  for (let t = fromS; t + FAIR_WINDOW_S <= toS + 1e-9; t += FAIR_WINDOW_S / 2) {
    const rates = run.flows
      .filter((flow) => flow.startS <= t && flow.endS >= t + FAIR_WINDOW_S)
      .map((flow) => flow.through.rate(t, t + FAIR_WINDOW_S));
    least = Math.min(least, jain(rates));
  }
  return least;
}

/** Part of media frames sent in [fromS, toS), outside the gap, that could be read in time. */
export function onTime(
  flow: FlowResult,
  fromS: number,
  toS: number,
  gap: readonly [fromS: number, toS: number] = [0, 0],
): number {
  let all = 0;
  let good = 0;
  for (const { sentAtUs, readAtUs } of flow.frames) {
    const at = sentAtUs / 1e6;
    if (at < fromS || at >= toS || (at >= gap[0] && at < gap[1])) continue;
    all++;
    if (readAtUs - sentAtUs <= flow.deadlineUs) good++;
  }
  return good / all;
}

/** Part of the packets that the bottleneck did not let through. */
export function loss(flow: FlowResult, fromS: number, toS: number): number {
  return Math.max(0, 1 - flow.throughPackets.sum(fromS, toS) / flow.sentPackets.sum(fromS, toS));
}

/** Part of what was sent that only probed. */
export function probed(flow: FlowResult, fromS: number, toS: number): number {
  return flow.probe.sum(fromS, toS) / flow.sent.sum(fromS, toS);
}

/** Median; NaN of nothing. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
