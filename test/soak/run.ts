/**
 * `npm run soak:spin -- [--hours N] [--seed N] [--json FILE]`: N hours (2) of virtual time on one connection, random calls
 * and all faults at random (test/failures/spin.ts). Passes if no invariant breaks, every count adds up, nothing is lost on
 * streams, and memory does not grow from the second quarter to the last. It is measured at rest, when every track and
 * stream has ended, the simulator has forgotten the addresses that nobody uses, and garbage is collected: what is under way
 * would hide what is held for nothing. What the planner keeps for the process is bounded by itself and fills for hours when
 * loss is drawn at random: it is measured, given back, and bounded apart.
 */
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { median } from '../../bench/kernel/median.ts';
import { benchCommand } from '../../bench/report/command-line.ts';
import { forgetTables } from '../../src/plan/tables.ts';
import { commitName, sourcesHash } from '../failures/sources.ts';
import { Spin } from '../failures/spin.ts';
import { bytesInUse } from '../helpers/memory.ts';

const STEPS = 24;
const MB = 1e6;
/**
 * From the median of the second quarter to that of the last. Rings of the connection double when more is in flight than ever,
 * up to a bound, and stay: half a megabyte for an end's packets. Code is compiled, and thrown away again: another megabyte.
 */
const GROWTH_MAX_MB = 1.5;
/** 128 channels with 16 tables of 10 kB each, and what they are made from. */
const TABLES_MAX_MB = 32;

const { values, refuse } = benchCommand({
  script: 'soak:spin',
  options: {
    hours: { type: 'string', value: 'N', default: '2', what: 'of virtual time' },
    seed: { type: 'string', value: 'N', default: '1', what: 'where chance begins' },
    json: { type: 'string', value: 'FILE', what: 'the result, as JSON' },
  },
});
const hours = Number(values.hours);
const seed = Number(values.seed);
if (!(hours > 0) || !Number.isSafeInteger(seed)) refuse('--hours is a positive number, --seed an integer');

const rounded = (bytes: number): number => Number((bytes / MB).toFixed(2));

/** Read before anything runs: hours later the folder may hold others. */
const version = { commit: commitName(), sources: sourcesHash('test/failures/spin.ts') };
const startedAt = process.cpuUsage();
const spin = new Spin(seed);
/** At the end of each step. */
const heapMb: number[] = [];
/** The planner's tables, filled in one step: they are given back after each. */
const tablesMb: number[] = [];
for (let step = 1; step <= STEPS; step++) {
  spin.run((hours * 3_600_000) / STEPS);
  spin.rest();
  const withTables = bytesInUse();
  forgetTables();
  const bytes = bytesInUse();
  heapMb.push(rounded(bytes));
  tablesMb.push(rounded(withTables - bytes));
  const percent = ((100 * step) / STEPS).toFixed(0);
  process.stderr.write(`\r${percent} %  ${heapMb.at(-1)} MB, tables ${tablesMb.at(-1)} MB `);
}
const report = spin.finish();
/** Of a quarter of the time, 1 to 4. */
const medianOf = (n: number): number =>
  median(heapMb.slice(((n - 1) * STEPS) / 4, (n * STEPS) / 4)) ?? Number.NaN;
const heapGrowthMb = Number((medianOf(4) - medianOf(2)).toFixed(2));
const cpuSeconds = Math.round(process.cpuUsage(startedAt).user / 1e6);
const isGood = heapGrowthMb < GROWTH_MAX_MB && Math.max(...tablesMb) < TABLES_MAX_MB;
const memory = { heapMb, tablesMb, heapGrowthMb };
const result = { ...version, seed, virtualHours: hours, ...report, ...memory, cpuSeconds, isGood };
process.stderr.write('\r');
console.log(JSON.stringify(result));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, undefined, 1)}\n`);
process.exitCode = isGood ? 0 : 1;
