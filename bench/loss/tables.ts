/** Results as Markdown, aligned so that they read well in a terminal too. In: pooled cells. Out: text. */
import type { Facts } from '../report/section.ts';
import type { PooledCell } from './pool.ts';
import { PLANNER_HEAD, plannerRows, TAMBUR_HEAD, tamburRows } from './sections-planner.ts';
import {
  agreementRows,
  CELL_HEAD,
  cellRows,
  ELSEWHERE_HEAD,
  elsewhereRows,
  matrixPath,
} from './sections-tables.ts';

/** A Markdown table; cells are padded to their column. A leading `!` marks what was missed. */
export function markdownTable(head: readonly string[], given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map((text) => text.replace(/^!/, 'MISSED: ')));
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, i) => text.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)].join(
    '\n',
  );
}

/** The whole result. `isLong` adds every row measured elsewhere. */
export function markdownOf(cells: readonly PooledCell[], facts: Facts, isLong: boolean): string {
  const parts: string[] = [
    '# Loss bench',
    Object.entries(facts)
      .map(([name, value]) => `- ${name}: ${value}`)
      .join('\n'),
  ];
  const add = (title: string, head: readonly string[], rows: readonly (readonly string[])[]): void => {
    if (rows.length > 0) parts.push(`## ${title}`, markdownTable(head, rows));
  };
  const of = (set: string): PooledCell[] => cells.filter(({ cell }) => cell.set === set);
  add('Deadlines, and what they cost', PLANNER_HEAD, plannerRows(of('planner')));
  add("Tambur's channel", TAMBUR_HEAD, tamburRows(of('planner')));
  add('Video over each path', CELL_HEAD, cellRows(of('matrix'), matrixPath));
  add(
    'Published set-ups',
    CELL_HEAD,
    cellRows(of('published'), ({ cell }) => `${cell.facets.scenario} ${cell.facets.variant}`),
  );
  if (isLong) {
    const head = ['path', 'kernel: wire / media', 'model', 'kernel: decodable 150 / 200 / 400 ms', 'model'];
    add('TCP CUBIC: kernel (measured elsewhere) and model', head, agreementRows(cells));
    add('Beside figures measured elsewhere', ELSEWHERE_HEAD, elsewhereRows(cells));
  }
  return `${parts.join('\n\n')}\n`;
}
