/**
 * Runs cells, several at a time, and says how far it is. In: cells, how many at once. Out: results as they finish. Bulk
 * cells, which ask more of the machine, come last, fewer at a time.
 */
import process from 'node:process';
import { adapterOf } from './adapters/all.ts';
import { runKernelCell } from './cell.ts';
import type { KernelCellPlan } from './matrix.ts';
import type { Finished, Made } from './store.ts';

/** Starting the programs, and waiting for what is still on its way. */
const OVERHEAD_MS = 6_000;
/** What a bulk cell asks of the machine, in cells that carry frames. */
const BULK_WEIGHT = 3;

function costMs({ spec }: KernelCellPlan): number {
  return spec.durationMs + OVERHEAD_MS;
}

/** Real time that these cells take, milliseconds. */
export function estimateMs(cells: readonly KernelCellPlan[], jobs: number): number {
  const sum = (isBulk: boolean): number =>
    cells
      .filter(({ spec }) => (spec.isBulk ?? false) === isBulk)
      .reduce((total, cell) => total + costMs(cell), 0);
  return sum(false) / jobs + sum(true) / bulkJobs(jobs);
}

/** How many bulk cells run at a time where so many others would. */
function bulkJobs(jobs: number): number {
  return Math.max(1, Math.floor(jobs / BULK_WEIGHT));
}

function minutes(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** Tells on stderr what runs and what is left; one line that is rewritten on a terminal. */
class Progress {
  readonly #total: number;
  readonly #jobs: number;
  #done = 0;

  constructor(total: number, jobs: number) {
    this.#total = total;
    this.#jobs = jobs;
  }

  report(left: readonly KernelCellPlan[], finished: string): void {
    this.#done++;
    const text = `${this.#done} of ${this.#total}, ${minutes(estimateMs(left, this.#jobs))} left: ${finished}`;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
    else process.stderr.write(`${text}\n`);
    if (process.stderr.isTTY && this.#done === this.#total) process.stderr.write('\n');
  }
}

/** A cell that could not run at all: its error is its only fault. */
export interface Failed {
  readonly cell: KernelCellPlan;
  readonly error: string;
}

/**
 * Runs all cells.
 * @param made What is noted with each result.
 * @param onFinished Called with each result at once: what is stored is not lost when the run is interrupted.
 */
export async function runCells(
  cells: readonly KernelCellPlan[],
  made: Made,
  onFinished: (finished: Finished) => void,
): Promise<{ readonly finished: Finished[]; readonly failed: Failed[] }> {
  const { jobs } = made;
  const waiting = cells.toSorted(
    (a, b) => Number(a.spec.isBulk ?? false) - Number(b.spec.isBulk ?? false) || costMs(b) - costMs(a),
  );
  const running = new Set<KernelCellPlan>();
  const progress = new Progress(cells.length, jobs);
  const finished: Finished[] = [];
  const failed: Failed[] = [];
  const runOne = async (cell: KernelCellPlan): Promise<void> => {
    running.add(cell);
    try {
      const result = await runKernelCell(cell.spec, adapterOf(cell.spec.transport));
      const one: Finished = { cell, result, made };
      finished.push(one);
      onFinished(one);
    } catch (error) {
      failed.push({ cell, error: (error as Error).message });
    }
    running.delete(cell);
    progress.report([...running, ...waiting], cell.id);
  };
  const work = async (isBulk: boolean): Promise<void> => {
    for (;;) {
      const next = waiting.findIndex(({ spec }) => (spec.isBulk ?? false) === isBulk);
      if (next < 0) return;
      const [cell] = waiting.splice(next, 1);
      if (cell !== undefined) await runOne(cell);
    }
  };
  await Promise.all(Array.from({ length: jobs }, () => work(false)));
  await Promise.all(Array.from({ length: bulkJobs(jobs) }, () => work(true)));
  return { finished, failed };
}
