/**
 * Question: what does loss do to live media over TCP, over plain UDP and over millrace, and what does millrace pay?
 * Workload: 30 fps video with key frames, and audio, in virtual time over a simulated path; docs/benchmarks.md says how.
 * A bad answer: a cell whose bytes or frames do not add up; a row of the set `planner` that misses its limit.
 * Usage: `npm run bench:loss [-- --quick] [--set NAME] [--only CELL] [--seed N | --seeds N,N] [--jobs N] [--list]
 * [--json FILE] [--markdown FILE] [--html FILE]`. Ends with 1 when a cell does not add up or misses a limit.
 */
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { type BenchCell, costOf } from './plan.ts';
import { plannerCells } from './planner.ts';
import { type PooledCell, poolCell } from './pool.ts';
import { plannerTable } from './tables.ts';
import { verdictsOf } from './verdict.ts';
import { type CostedTask, runTasks } from './workers.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    set: { type: 'string', multiple: true },
    only: { type: 'string', multiple: true },
    seed: { type: 'string' },
    seeds: { type: 'string' },
    jobs: { type: 'string' },
    list: { type: 'boolean', default: false },
    json: { type: 'string' },
    markdown: { type: 'string' },
    html: { type: 'string' },
  },
});

/** `planner/60-120-5%` is named by itself, by its last part, and by a part with a star: `60-120*`. */
function isNamed(id: string, text: string): boolean {
  const pattern = text.split('*').map((piece) => piece.replace(/[^\w]/g, '\\$&'));
  return new RegExp(`(^|/)${pattern.join('.*')}$`).test(id);
}

function chosenCells(): BenchCell[] {
  const seeds = (values.seeds ?? values.seed)?.split(',').map(Number);
  return plannerCells()
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

const cells = chosenCells();
if (values.list) {
  for (const { id } of cells) console.log(id);
  process.exit(0);
}
const pooled = await run(cells, Number(values.jobs ?? availableParallelism()));
console.log(plannerTable(pooled.filter(({ cell }) => cell.set === 'planner')));
const faults = pooled.flatMap(({ cell, faults: list }) => list.map((fault) => `${cell.id}: ${fault}`));
for (const fault of faults) console.error(fault);
const isMet = pooled.every((cell) => verdictsOf(cell).every((verdict) => verdict.isMet));
process.exitCode = faults.length === 0 && isMet ? 0 : 1;
