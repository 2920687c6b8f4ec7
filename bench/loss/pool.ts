/**
 * Many seeds of one cell as one set of figures. In: one answer per seed. Out: pooled shares, medians with their ranges,
 * and what does not hold. Nothing is left out: a seed that failed is a fault.
 */
import type { CellResult, SourceResult } from '../../src/lab/cell.ts';
import { DECODABLE_WITHIN_MS, type PhaseSummary } from '../../src/lab/measure.ts';
import { noWireBytes, unaccountedBytes, type WireBytes } from '../../src/lab/wire-meter.ts';
import type { BenchCell } from './plan.ts';
import type { Answer, Timeline } from './worker.ts';

/** Median, least and largest of the seeds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One source in one stretch of time, over all seeds. Shares 0..1. */
export interface PooledPhase {
  readonly frames: number;
  readonly delivered: number;
  readonly onTimeShare: number;
  /** Late frames of the seed that had most. */
  readonly lateMax: number;
  readonly p50Ms: Spread;
  readonly p95Ms: Spread;
  readonly p99Ms: Spread;
  readonly maxMs: Spread;
  /** Within each of {@link DECODABLE_WITHIN_MS}. */
  readonly decodableShare: readonly number[];
  readonly freezes: Spread;
  readonly frozenMs: Spread;
  readonly gaps: Spread;
  readonly gapMs: Spread;
  /** Medians of the seeds' quantiles. */
  readonly latencyCurveMs: readonly number[];
}

export interface PooledSource {
  readonly name: string;
  readonly startup: PooledPhase;
  readonly steady: PooledPhase;
}

/** A cell's figures over all its seeds. */
export interface PooledCell {
  readonly cell: BenchCell;
  readonly sources: readonly PooledSource[];
  readonly connectMs: Spread;
  /** Bytes on the wire in the media direction / media bytes offered, after start-up. */
  readonly wireRatio: Spread;
  /** Each purpose / media bytes offered, pooled. */
  readonly parts: WireBytes;
  /** (resend + repair + probe) / media, pooled. */
  readonly overhead: number;
  readonly cpuMs: number;
  readonly traceHashes: readonly string[];
  /** What does not add up. */
  readonly faults: readonly string[];
  /** Of the first seed, where the cell asks for one. */
  readonly timeline?: Timeline;
  /** Of all seeds, for checks; not kept in files. */
  readonly timelines: readonly Timeline[];
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const low = sorted[sorted.length % 2 === 0 ? middle - 1 : middle] ?? 0;
  const high = sorted[middle] ?? 0;
  // Two seeds, one of which never delivered, have no mean: the worse one speaks.
  const median = low === high || !Number.isFinite(high) ? high : (low + high) / 2;
  return { median, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0 };
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function poolPhase(phases: readonly PhaseSummary[]): PooledPhase {
  const sum = (of: (phase: PhaseSummary) => number): number => phases.reduce((total, p) => total + of(p), 0);
  const spread = (of: (phase: PhaseSummary) => number): Spread => spreadOf(phases.map(of));
  const frames = sum((phase) => phase.frames);
  const points = Math.max(...phases.map((phase) => phase.latencyCurveMs.length));
  return {
    frames,
    delivered: sum((phase) => phase.delivered),
    onTimeShare: share(
      sum((phase) => phase.onTime),
      frames,
    ),
    lateMax: Math.max(...phases.map((phase) => phase.frames - phase.onTime)),
    p50Ms: spread((phase) => phase.latency.p50Ms),
    p95Ms: spread((phase) => phase.latency.p95Ms),
    p99Ms: spread((phase) => phase.latency.p99Ms),
    maxMs: spread((phase) => phase.latency.maxMs),
    decodableShare: DECODABLE_WITHIN_MS.map((_, i) =>
      share(
        sum((phase) => phase.decodable[i] ?? 0),
        frames,
      ),
    ),
    freezes: spread((phase) => phase.freezes.count),
    frozenMs: spread((phase) => phase.freezes.totalMs),
    gaps: spread((phase) => phase.gaps.count),
    gapMs: spread((phase) => phase.gaps.totalMs),
    latencyCurveMs: Array.from(
      { length: points },
      (_, i) => spread((phase) => phase.latencyCurveMs[i] ?? 0).median,
    ),
  };
}

function faultsOf(cell: BenchCell, answers: readonly (Answer | undefined)[]): string[] {
  const faults: string[] = [];
  cell.seeds.forEach((seed, i) => {
    const answer = answers[i];
    if (answer === undefined) {
      faults.push(`seed ${seed}: did not run`);
      return;
    }
    if (answer.error !== undefined) faults.push(`seed ${seed}: ${answer.error}`);
    const { result } = answer;
    if (result === undefined) return;
    for (const fault of result.faults) faults.push(`seed ${seed}: ${fault}`);
    if (result.ended !== undefined) faults.push(`seed ${seed}: gave up: ${result.ended}`);
    if (unaccountedBytes(result.wire) !== 0) faults.push(`seed ${seed}: bytes unaccounted for`);
    if (hasNaN(result)) faults.push(`seed ${seed}: a figure is not a number`);
  });
  return faults;
}

/** True when any number inside is NaN. */
export function hasNaN(value: unknown): boolean {
  if (typeof value === 'number') return Number.isNaN(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some(hasNaN);
}

/** Pools the answers of all seeds of a cell, in the order of its seeds. */
export function poolCell(cell: BenchCell, answers: readonly (Answer | undefined)[]): PooledCell {
  const results = answers.flatMap((answer) => answer?.result ?? []);
  const media = results.reduce((sum, result) => sum + result.mediaBytes, 0);
  const parts = noWireBytes();
  for (const purpose of Object.keys(parts) as (keyof WireBytes)[]) {
    parts[purpose] = share(
      results.reduce((sum, result) => sum + result.wire[purpose], 0),
      media,
    );
  }
  const sourcesOf = (i: number, phase: 'startup' | 'steady'): PhaseSummary[] =>
    results.map((result) => (result.sources[i] as SourceResult)[phase]);
  const timelines = answers.flatMap((answer) => answer?.timeline ?? []);
  const spread = (of: (result: CellResult) => number): Spread => spreadOf(results.map(of));
  return {
    cell,
    sources: (results[0]?.sources ?? []).map(({ name }, i) => ({
      name,
      startup: poolPhase(sourcesOf(i, 'startup')),
      steady: poolPhase(sourcesOf(i, 'steady')),
    })),
    connectMs: spread((result) => result.connectMs),
    wireRatio: spread((result) => share(result.wire.total, result.mediaBytes)),
    parts,
    overhead: parts.resend + parts.repair + parts.probe,
    cpuMs: answers.reduce((sum, answer) => sum + (answer?.cpuMs ?? 0), 0),
    traceHashes: results.map(({ traceHash }) => traceHash),
    faults: faultsOf(cell, answers),
    ...(timelines[0] === undefined ? {} : { timeline: timelines[0] }),
    timelines,
  };
}
