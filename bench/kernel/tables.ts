/** Finished cells as Markdown tables, one per set. */
import { DECODABLE_WITHIN_MS } from '../../src/lab/measure.ts';
import { milliseconds } from '../loss/format.ts';
import { markdownTable } from '../loss/tables.ts';
import type { Finished } from './store.ts';
import { type KernelVerdict, limitMs, onTimeShare, wireRatio } from './verdict.ts';

const DECODABLE_MS = 200;

/** A table before it has a form. */
export interface Rows {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

function mbps(bps: number): string {
  return (bps / 1e6).toFixed(2);
}

function perGbit(seconds: number): string {
  return Number.isFinite(seconds) ? seconds.toFixed(2) : '-';
}

/** Cells that carry frames. */
export function framesRows(cells: readonly Finished[]): Rows {
  const head = [
    'network',
    'transport',
    'on time',
    'p50 / p95 / p99 ms',
    'limit p50 / p99',
    'never',
    `decodable in ${DECODABLE_MS} ms`,
    'wire',
    'goodput Mbit/s',
    'CPU s/Gbit',
    'start-up on time',
  ];
  const rows = cells.map((finished): string[] => {
    const { cell, result } = finished;
    const source = result.sources[0];
    if (source === undefined) return [cell.network, result.transport];
    const { steady, startup } = source;
    const { p50Ms, p95Ms, p99Ms } = steady.latency;
    const decodable = steady.decodable[DECODABLE_WITHIN_MS.indexOf(DECODABLE_MS)] ?? 0;
    const limit = limitMs(finished);
    const share = (count: number, of: number): string => `${((100 * count) / Math.max(1, of)).toFixed(2)} %`;
    return [
      cell.network,
      result.transport,
      `${(100 * onTimeShare(finished)).toFixed(2)} %`,
      [p50Ms, p95Ms, p99Ms].map(milliseconds).join(' / '),
      `${milliseconds(limit.p50)} / ${milliseconds(limit.p99)}`,
      share(steady.frames - steady.delivered, steady.frames),
      share(decodable, steady.frames),
      // The bytes of competitors are on the same wire.
      result.competitorBps.length > 0 ? '-' : wireRatio(finished).toFixed(3),
      [result.goodputBps, ...result.competitorBps].map(mbps).join(' beside '),
      `${perGbit(result.senderSecondsPerGbit)} + ${perGbit(result.receiverSecondsPerGbit)}`,
      share(startup.onTime, startup.frames),
    ];
  });
  return { head, rows };
}

/** Cells that carry bytes as fast as they go. */
export function bulkRows(cells: readonly Finished[]): Rows {
  const rows = cells.map((finished): string[] => {
    const { cell, result } = finished;
    return [
      cell.network,
      result.transport,
      mbps(result.goodputBps),
      wireRatio(finished).toFixed(3),
      `${perGbit(result.senderSecondsPerGbit)} + ${perGbit(result.receiverSecondsPerGbit)}`,
    ];
  });
  return { head: ['network', 'transport', 'goodput Mbit/s', 'wire', 'CPU s/Gbit'], rows };
}

/** Everything, set by set. */
export function resultTables(cells: readonly Finished[]): string {
  const sets = [...new Set(cells.map(({ cell }) => cell.set))];
  return sets
    .map((set) => {
      const chosen = cells.filter(({ cell }) => cell.set === set);
      const { head, rows } = set === 'bulk' ? bulkRows(chosen) : framesRows(chosen);
      return `\n${set}\n\n${markdownTable(head, rows)}`;
    })
    .join('\n');
}

/** What was asked and what was measured. */
export function verdictTable(verdicts: readonly KernelVerdict[]): string {
  const rows = verdicts.map(({ id, asked, measured, isMet }) => [
    id,
    asked,
    measured,
    isMet ? 'met' : 'NOT MET',
  ]);
  return markdownTable(['cell', 'asked', 'measured', 'verdict'], rows);
}
