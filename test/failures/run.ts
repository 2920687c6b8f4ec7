/**
 * `npm run test:failures -- [--json FILE] [--seeds N] [--first N] [--only TEXT] [--no-tcp]`: every failure case on N seeds
 * (20), one line each with its figure, the worst seed and what TCP did; all of it as JSON too. Exit 1 if anything failed.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import process from 'node:process';
import { benchCommand } from '../../bench/report/command-line.ts';
import { ALL } from './all.ts';
import {
  type FailureCase,
  judge,
  judgeSockets,
  type Outcome,
  SEEDS,
  type SocketCase,
  seedsOf,
} from './case.ts';
import { ports } from './f08-ports.ts';
import { describe, type Summary, summarize } from './summary.ts';

const { values, refuse } = benchCommand({
  script: 'test:failures',
  options: {
    json: { type: 'string', value: 'FILE', what: 'everything, as JSON' },
    seeds: { type: 'string', value: 'N', default: String(SEEDS), what: 'seeds of each case' },
    first: { type: 'string', value: 'N', default: '1', what: 'the first of them' },
    only: { type: 'string', value: 'TEXT', default: '', what: 'cases with this in their row and name' },
    'no-tcp': { type: 'boolean', default: false, what: 'without what TCP does' },
  },
});
const count = Number(values.seeds);
const first = Number(values.first);
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(first) || first < 1) {
  refuse('--seeds and --first are positive integers');
}
/** Cases of half a minute are for soaks, and for whoever names them. */
const chosen = [...ALL, ...ports].filter(
  ({ row, name, isLong }) =>
    `${row} ${name}`.includes(values.only) && (isLong !== true || values.only !== ''),
);
if (chosen.length === 0) refuse(`no case is called so: ${values.only}`);

async function run(one: FailureCase | SocketCase, seed: number): Promise<Outcome> {
  const isOnSockets = ports.includes(one as SocketCase);
  return isOnSockets
    ? await judgeSockets(one as SocketCase, seed)
    : judge(one as FailureCase, seed, !values['no-tcp']);
}

const summaries: Summary[] = [];
for (const one of chosen) {
  const startedAt = process.cpuUsage();
  const outcomes: Outcome[] = [];
  for (let seed = first; seed < first + seedsOf(one, count); seed++) {
    const outcome = await run(one, seed);
    outcomes.push(outcome);
    if (!outcome.isGood) console.log(`     seed ${seed}: ${outcome.fault}`);
  }
  const used = process.cpuUsage(startedAt);
  const summary = summarize(one, outcomes, (used.user + used.system) / 1e3);
  summaries.push(summary);
  console.log(describe(summary));
}
const failed = summaries.filter(({ passed, seeds }) => passed < seeds);
const cpuSeconds = Math.round(summaries.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / 1e3);
console.log(
  `${summaries.length - failed.length} cases passed, ${failed.length} failed; ${cpuSeconds} s of CPU`,
);
if (values.json !== undefined) {
  const machine = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown' };
  const head = { seeds: count, first, machine, cpuSeconds };
  writeFileSync(values.json, `${JSON.stringify({ ...head, cases: summaries }, undefined, 1)}\n`);
}
process.exitCode = failed.length === 0 ? 0 : 1;
