/** Results as Markdown tables, aligned so that they read well in a terminal too. */
import type { PooledCell } from './pool.ts';
import { percent, verdictsOf } from './verdict.ts';

/** A Markdown table; cells are padded to their column. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, i) => text.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)].join(
    '\n',
  );
}

/** Milliseconds without decimals; what never happened is `never`. */
export function milliseconds(value: number): string {
  return Number.isFinite(value) ? value.toFixed(0) : 'never';
}

/** The set `planner`: what was asked, what was measured, what is ideal. */
export function plannerTable(cells: readonly PooledCell[]): string {
  const rows = cells.map((pooled): string[] => {
    const { cell, parts, sources } = pooled;
    const steady = sources[0]?.steady;
    const verdicts = verdictsOf(pooled);
    const missed = verdicts.filter(({ isMet }) => !isMet);
    return [
      cell.id.slice('planner/'.length),
      steady === undefined || steady.frames === 0 ? '-' : percent(steady.onTimeShare, 3),
      percent(pooled.overhead),
      cell.limits?.overheadMax === undefined ? '-' : percent(cell.limits.overheadMax, 1),
      cell.idealOverhead === undefined ? '-' : percent(cell.idealOverhead, 1),
      `${percent(parts.resend)} + ${percent(parts.repair)} + ${percent(parts.probe)}`,
      steady === undefined
        ? '-'
        : `${milliseconds(steady.p50Ms.median)} / ${milliseconds(steady.p99Ms.median)}`,
      pooled.wireRatio.median.toFixed(3),
      missed.length === 0 ? 'ok' : missed.map(({ asked, measured }) => `${asked}: ${measured}`).join('; '),
    ];
  });
  const head = [
    'cell',
    'on time',
    'overhead',
    'asked',
    'ideal',
    'resend + repair + probe',
    'p50 / p99 ms',
    'wire',
    'verdict',
  ];
  return markdownTable(head, rows);
}
