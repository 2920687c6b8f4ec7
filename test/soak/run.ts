/**
 * `npm run soak:spin -- [--hours N] [--seed N] [--json FILE]`: N hours (2) of virtual time on one connection, random calls
 * and all faults at random (test/failures/spin.ts). Passes if no invariant breaks, every count adds up, nothing is lost on
 * streams, and memory does not grow after the first sixth. It is measured at rest, when every track and stream has ended
 * and garbage is collected: what is under way would hide what is held for nothing.
 */
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { benchCommand } from '../../bench/report/command-line.ts';
import { commitName, sourcesHash } from '../failures/sources.ts';
import { Spin } from '../failures/spin.ts';
import { bytesInUse } from '../helpers/memory.ts';

const STEPS = 24;
/** In bytes. The simulator remembers every address that there was, some hundred bytes each. */
const HEAP_GROWTH_MAX = 2e6;

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

/** Read before anything runs: hours later the folder may hold others. */
const version = { commit: commitName(), sources: sourcesHash() };
const startedAt = process.cpuUsage();
const spin = new Spin(seed);
const heaps: number[] = [];
for (let step = 1; step <= STEPS; step++) {
  spin.run((hours * 3_600_000) / STEPS);
  spin.rest();
  heaps.push(bytesInUse());
  process.stderr.write(
    `\r${((100 * step) / STEPS).toFixed(0)} %  ${((heaps.at(-1) as number) / 1e6).toFixed(1)} MB `,
  );
}
const report = spin.finish();
const early = Math.min(...heaps.slice(STEPS / 6, STEPS / 3 + 1));
const late = Math.min(...heaps.slice((3 * STEPS) / 4));
const heapGrowthMb = Number(((late - early) / 1e6).toFixed(2));
const cpuSeconds = Math.round(process.cpuUsage(startedAt).user / 1e6);
const isGood = late - early < HEAP_GROWTH_MAX;
const heapMb = heaps.map((bytes) => Number((bytes / 1e6).toFixed(2)));
const result = { ...version, seed, virtualHours: hours, ...report, heapMb, heapGrowthMb, cpuSeconds, isGood };
process.stderr.write('\r');
console.log(JSON.stringify(result));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, undefined, 1)}\n`);
process.exitCode = isGood ? 0 : 1;
