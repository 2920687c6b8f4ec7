/**
 * Question: what does loss do to live media over TCP, over plain UDP and over millrace, and what does millrace pay?
 * Workload: 30 fps video with key frames, and audio, in virtual time over a simulated path; docs/benchmarks.md says how.
 * A bad answer: a cell whose bytes or frames do not add up; a row of the set `planner` that misses its limit.
 * Usage: `npm run bench:loss -- --help`. Ends with 1 when a cell does not add up or misses its limit.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { benchCommand, countOption } from '../report/command-line.ts';
import { gatherFacts } from '../report/facts.ts';
import { renderPage } from '../report/page.ts';
import type { ReportFile } from '../report/section.ts';
import { matrixCells, quickMatrixCells, shortened } from './matrix.ts';
import { type BenchCell, costOf } from './plan.ts';
import { plannerCells } from './planner.ts';
import { type PooledCell, poolCell } from './pool.ts';
import { publishedCells, quickPublishedCells } from './published.ts';
import { matrixSections } from './sections-matrix.ts';
import { plannerSections } from './sections-planner.ts';
import { publishedSections, tableSections } from './sections-tables.ts';
import { markdownOf } from './tables.ts';
import { verdictsOf } from './verdict.ts';
import { type CostedTask, runTasks } from './workers.ts';

const { values, refuse } = benchCommand({
  script: 'bench:loss',
  options: {
    quick: { type: 'boolean', default: false, what: 'a few cells of two sets, 8 s, one seed' },
    set: {
      type: 'string',
      value: 'NAME',
      multiple: true,
      what: 'matrix, published, planner; default all three',
    },
    only: {
      type: 'string',
      value: 'CELL',
      multiple: true,
      what: 'a cell by its name, its last part, or either with stars',
    },
    seed: { type: 'string', value: 'N', what: 'this seed instead of those of the cell' },
    seeds: { type: 'string', value: 'N,N', what: 'these seeds' },
    jobs: { type: 'string', value: 'N', what: 'processes; default one for each processor' },
    list: { type: 'boolean', default: false, what: 'name the cells and run nothing' },
    json: { type: 'string', value: 'FILE', what: 'figures as data' },
    markdown: { type: 'string', value: 'FILE', what: 'tables as text' },
    html: { type: 'string', value: 'FILE', what: 'a page' },
  },
});

/** `planner/60-120-5%` is named by itself, by its last part, and by either with stars: `60-120*`. */
function isNamed(id: string, text: string): boolean {
  const pattern = text.split('*').map((piece) => piece.replace(/[^\w]/g, '\\$&'));
  return new RegExp(`(^|/)${pattern.join('.*')}$`).test(id);
}

function chosenCells(): BenchCell[] {
  const all = values.quick
    ? [...quickMatrixCells(), ...quickPublishedCells().map(shortened)]
    : [...matrixCells(), ...publishedCells(), ...plannerCells()];
  const seeds = (values.seeds ?? values.seed)?.split(',').map(Number);
  if (seeds?.some((seed) => !Number.isSafeInteger(seed) || seed < 0))
    refuse('a seed is an integer from 0 on');
  return all
    .filter(({ set }) => values.set === undefined || values.set.includes(set))
    .filter(({ id }) => values.only === undefined || values.only.some((text) => isNamed(id, text)))
    .map((cell) => (seeds === undefined ? cell : { ...cell, seeds }));
}

async function run(cells: readonly BenchCell[], jobs: number): Promise<PooledCell[]> {
  const tasks = cells.flatMap((cell) =>
    cell.seeds.map(
      (seed): CostedTask => ({
        task: { key: seed, spec: { ...cell.spec, seed }, hasTimeline: cell.hasTimeline ?? false },
        cost: costOf(cell),
        name: `${cell.id}, seed ${seed}`,
      }),
    ),
  );
  const answers = await runTasks(tasks, jobs);
  return cells.map((cell) => poolCell(cell, answers.splice(0, cell.seeds.length)));
}

/** As JSON: without what only the report needs; `Infinity` (never) becomes null. */
function withoutTimelines({ timeline: _, timelines: __, ...pooled }: PooledCell): object {
  return { ...pooled, verdicts: verdictsOf({ ...pooled, timelines: __ }) };
}

const cells = chosenCells();
if (cells.length === 0) refuse('no cell has that name: --list shows all');
if (values.list) {
  for (const { id } of cells) console.log(id);
  process.exit(0);
}
const jobs = values.jobs === undefined ? availableParallelism() : countOption('jobs', values.jobs, refuse);
const startedAt = performance.now();
const pooled = await run(cells, jobs);
const facts = gatherFacts('bench:loss', {
  seeds: [...new Set(cells.map(({ seeds }) => seeds.join(', ')))].join('; '),
  cells: `${cells.length}, in ${cells.reduce((sum, { seeds }) => sum + seeds.length, 0)} runs`,
  took: `${Math.round((performance.now() - startedAt) / 1_000)} s`,
});
const report: ReportFile = {
  title: 'Loss bench',
  facts,
  sections: [
    ...matrixSections(pooled),
    ...plannerSections(pooled),
    ...publishedSections(pooled),
    ...tableSections(pooled),
  ],
};
console.log(markdownOf(pooled, facts, false));
if (values.markdown !== undefined) writeFileSync(values.markdown, markdownOf(pooled, facts, true));
if (values.html !== undefined) writeFileSync(values.html, renderPage('millrace under loss', [report]));
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ ...report, cells: pooled.map(withoutTimelines) })}\n`);
}
const faults = pooled.flatMap(({ cell, faults: list }) => list.map((fault) => `${cell.id}: ${fault}`));
for (const fault of faults) console.error(fault);
const missed = pooled.filter((cell) => verdictsOf(cell).some((verdict) => !verdict.isMet));
if (missed.length > 0) console.error(`${missed.length} of ${pooled.length} cells miss a limit`);
process.exitCode = faults.length === 0 && missed.length === 0 ? 0 : 1;
