/**
 * Worker processes for the cells of a bench: as many as asked for, each with one cell at a time. In: tasks with what
 * they cost. Out: answers, in the order of the tasks; progress with the time left.
 */
import { type ChildProcess, fork } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Answer, Task } from './worker.ts';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));
/** Where stderr is no terminal, progress is a line this often. */
const LINE_EVERY_MS = 10_000;

export interface CostedTask {
  readonly task: Task;
  readonly cost: number;
  /** For progress. */
  readonly name: string;
}

/** Runs all tasks; rejects when a worker process dies. */
export function runTasks(tasks: readonly CostedTask[], jobs: number): Promise<Answer[]> {
  const progress = new Progress(tasks);
  const answers: Answer[] = new Array(tasks.length);
  // The longest first, so that no worker is left alone with one at the end.
  const order = tasks.map((_, i) => i).sort((a, b) => (tasks[b]?.cost ?? 0) - (tasks[a]?.cost ?? 0));
  const running = Array.from(
    { length: Math.min(jobs, tasks.length) },
    () =>
      new Promise<void>((resolve, reject) => {
        const child: ChildProcess = fork(WORKER, { execArgv: process.execArgv, serialization: 'advanced' });
        let current = -1;
        const next = (): void => {
          const index = order.shift();
          if (index === undefined) {
            child.disconnect();
            resolve();
            return;
          }
          current = index;
          child.send((tasks[index] as CostedTask).task);
        };
        child.on('message', (answer: Answer) => {
          answers[current] = answer;
          progress.onDone(tasks[current] as CostedTask);
          next();
        });
        child.on('exit', (code) => {
          // Without effect on one that has done its work.
          reject(new Error(`a worker process ended with ${code} in ${tasks[current]?.name}`));
        });
        next();
      }),
  );
  return Promise.all(running).then(() => {
    progress.end();
    return answers;
  });
}

class Progress {
  readonly #total: number;
  readonly #count: number;
  readonly #startedAt: number = performance.now();
  #done = 0;
  #doneCost = 0;
  #lineAt = 0;

  constructor(tasks: readonly CostedTask[]) {
    this.#count = tasks.length;
    this.#total = tasks.reduce((sum, { cost }) => sum + cost, 0);
  }

  onDone(task: CostedTask): void {
    this.#done++;
    this.#doneCost += task.cost;
    const elapsedMs = performance.now() - this.#startedAt;
    const leftSeconds = Math.ceil((elapsedMs * (this.#total / this.#doneCost - 1)) / 1_000);
    const text = `${this.#done}/${this.#count} cells, ${clock(leftSeconds)} left: ${task.name}`;
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
    else if (elapsedMs - this.#lineAt >= LINE_EVERY_MS) {
      this.#lineAt = elapsedMs;
      process.stderr.write(`${text}\n`);
    }
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  }
}

function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
