/**
 * What the loss bench can run: cells as data, grouped in sets. In: nothing. Out: for each cell its spec, seeds, and what
 * must hold, if anything must.
 */
import type { CellSpec } from '../../src/lab/cell.ts';

export type SetName = 'matrix' | 'published' | 'planner';

/** Limits of one cell, pooled over its seeds. Ratios 0..1. */
export interface Limits {
  /** Share of the frames of the first source that must be on time. */
  readonly onTimeMin?: number;
  /** (resend + repair + probe) / media at most. */
  readonly overheadMax?: number;
  /** Not one byte of repair. */
  readonly isRepairFree?: boolean;
  /** Late frames of the start-up, each seed for itself. */
  readonly startupLateMax?: number;
  /** After each `stepMs`: on time again so long after it, judged over frames until the next step. */
  readonly recovery?: { readonly stepMs: number; readonly settleMs: number; readonly onTimeMin: number };
  /** From here to the end not one byte of repair. */
  readonly repairEndsByMs?: number;
}

/** One cell, for all of its seeds. */
export interface BenchCell {
  /** Unique; `--only` names it. */
  readonly id: string;
  readonly set: SetName;
  /** For tables and charts: what the cell is in its set. */
  readonly facets: Readonly<Record<string, string | number>>;
  readonly spec: Omit<CellSpec, 'seed'>;
  readonly seeds: readonly number[];
  readonly limits?: Limits;
  /** Overhead of an ideal scheme, where it is known. */
  readonly idealOverhead?: number;
  /** Frame by frame and sample by sample, too. */
  readonly hasTimeline?: boolean;
}

/** What one run costs, relative: virtual time, and what a transport does per packet. */
export function costOf(cell: BenchCell): number {
  const { transport, durationMs, workload } = cell.spec;
  const videoBps = workload.video?.bitrateBps ?? 0;
  const rate = 0.5e6 + videoBps + (workload.packets === undefined ? 0 : 4e6);
  return durationMs * rate * (transport === 'millrace' ? 8 : 1);
}
