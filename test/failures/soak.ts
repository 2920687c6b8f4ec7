/**
 * `npm run soak -- [--seeds N] [--minutes N] [--only TEXT] [--part I/N] [--state FILE] [--json FILE]`: every failure case
 * on a thousand seeds, in one process. The case that has used the least computing time so far goes next, so that cheap ones have all
 * their seeds soon and dear ones as many as the time allows. Stops after so many minutes, or when it is told to; what is
 * done is kept in the state file, and the next run of the same sources goes on there. Several processes take a part each,
 * every N-th seed, with state files of their own; one file after the other (`cat`) is the state of all. Exit 1 if anything
 * failed.
 */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { benchCommand } from '../../bench/report/command-line.ts';
import { ALL } from './all.ts';
import { type FailureCase, judge, type Outcome } from './case.ts';
import { commitName, sourcesHash } from './sources.ts';
import { describe, type Summary, summarize } from './summary.ts';

const SEEDS = 1_000;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const { values, refuse } = benchCommand({
  script: 'soak',
  options: {
    seeds: { type: 'string', value: 'N', default: String(SEEDS), what: 'seeds of each case' },
    minutes: { type: 'string', value: 'N', default: 'Infinity', what: 'stops then; the next run goes on' },
    only: { type: 'string', value: 'TEXT', default: '', what: 'cases with this in their row and name' },
    part: { type: 'string', value: 'I/N', default: '1/1', what: 'every N-th seed, from the I-th on' },
    state: { type: 'string', value: 'FILE', default: join(ROOT, '.tmp/soak.jsonl'), what: 'what is done' },
    json: { type: 'string', value: 'FILE', what: 'everything, as JSON' },
  },
});
const seeds = Number(values.seeds);
const minutes = Number(values.minutes);
if (!Number.isSafeInteger(seeds) || seeds < 1 || !(minutes > 0)) {
  refuse('--seeds is a positive integer, --minutes a positive number');
}

const [part = 1, parts = 1] = values.part.split('/').map(Number);
if (!(part >= 1 && part <= parts)) refuse('--part is I/N: the I-th of N parts');

/** One case and how far it is. */
class Progress {
  readonly one: FailureCase;
  readonly outcomes: Outcome[] = [];
  cpuMs = 0;
  readonly #done = new Set<number>();
  #next = part;

  constructor(one: FailureCase) {
    this.one = one;
  }

  get seed(): number {
    while (this.#done.has(this.#next)) this.#next += parts;
    return this.#next;
  }

  get isDone(): boolean {
    return this.seed > seeds;
  }

  add(outcome: Outcome, cpuMs: number): void {
    this.outcomes.push(outcome);
    this.cpuMs += cpuMs;
    this.#done.add(outcome.seed);
  }
}

interface Line {
  readonly outcome: Outcome;
  readonly cpuMs: number;
}

/** Takes up what an earlier run has left, or begins the file. */
function resume(all: ReadonlyMap<string, Progress>, sources: string): void {
  let lines: string[] = [];
  try {
    lines = readFileSync(values.state, 'utf8').trimEnd().split('\n');
  } catch {
    mkdirSync(dirname(values.state), { recursive: true });
  }
  const head = JSON.stringify({ sources });
  const isSame = lines[0] === head;
  if (lines.length > 1 && !isSame) console.log(`${values.state} is of other sources: from the beginning`);
  if (!isSame) {
    writeFileSync(values.state, `${head}\n`);
    return;
  }
  const runs = lines.filter((text) => text !== head);
  for (const text of runs) {
    const { outcome, cpuMs } = JSON.parse(text) as Line;
    all.get(nameOf(outcome))?.add(outcome, cpuMs);
  }
  console.log(`goes on after ${runs.length} runs`);
}

function nameOf({ row, name }: { readonly row: string; readonly name: string }): string {
  return `${row}: ${name}`;
}

function leastUsed(all: readonly Progress[]): Progress | undefined {
  let least: Progress | undefined;
  for (const next of all) if (!next.isDone && (least === undefined || next.cpuMs < least.cpuMs)) least = next;
  return least;
}

/** Cases of half a minute are for whoever names them. */
const chosen = ALL.filter(
  ({ row, name, isLong }) =>
    `${row} ${name}`.includes(values.only) && (isLong !== true || values.only !== ''),
);
if (chosen.length === 0) refuse(`no case is called so: ${values.only}`);
const progress = chosen.map((one) => new Progress(one));
const sources = sourcesHash('test/failures/all.ts');
// Now: the checkout may have moved on when the summary is written.
const commit = commitName();
resume(new Map(progress.map((of) => [nameOf(of.one), of])), sources);

let isStopped = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => (isStopped = true));
const untilMs = performance.now() + minutes * 60_000;
for (let next = leastUsed(progress); next !== undefined; next = leastUsed(progress)) {
  const startedAt = process.cpuUsage();
  const outcome = judge(next.one, next.seed);
  const used = process.cpuUsage(startedAt);
  const cpuMs = Math.round((used.user + used.system) / 1e3);
  if (!outcome.isGood) console.log(`${nameOf(outcome)}, seed ${outcome.seed}: ${outcome.fault}`);
  next.add(outcome, cpuMs);
  appendFileSync(values.state, `${JSON.stringify({ outcome, cpuMs } satisfies Line)}\n`);
  // Signals are heard between two turns of the event loop.
  await new Promise((resolve) => setImmediate(resolve));
  if (isStopped || performance.now() > untilMs) break;
}

const summaries: Summary[] = progress.map(({ one, outcomes, cpuMs }) => summarize(one, outcomes, cpuMs));
for (const summary of summaries) console.log(describe(summary));
const failed = summaries.filter(({ passed, seeds: ran }) => passed < ran).length;
const left = progress.filter(({ isDone }) => !isDone).length;
console.log(`${summaries.length - failed} cases passed, ${failed} failed; ${left} have seeds left to run`);
if (values.json !== undefined) {
  const machine = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown' };
  const cpuSeconds = Math.round(summaries.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / 1e3);
  const head = { seeds, commit, sources, machine, cpuSeconds };
  writeFileSync(values.json, `${JSON.stringify({ ...head, cases: summaries }, undefined, 1)}\n`);
}
process.exitCode = failed === 0 ? 0 : 1;
