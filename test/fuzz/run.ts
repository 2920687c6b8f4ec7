/**
 * `npm run fuzz -- [--minutes N | --rounds N] [--count N] [--seed N]`. With `--minutes` or `--rounds`: parsers from their
 * corpus, TLS with damaged flights, and random API calls under random faults, with one seed after another until the time
 * is over or so many rounds are done; a failure names its seed and input, which then belongs into corpus.json. Then, as
 * always, N random, forged and damaged datagrams at both ends of a live call in virtual time, beside hostile callers with
 * the right keys: nothing throws, every media frame is on time, and memory does not grow from the first tenth on.
 */
import process from 'node:process';
import { benchCommand } from '../../bench/report/command-line.ts';
import { bytesInUse } from '../helpers/memory.ts';
import { FuzzedCall } from './call.ts';
import { fuzzCalls, fuzzParsers, fuzzTls } from './session.ts';

/** Each millisecond of the call; a million is 20 s of it. */
const PER_MS = 50;
const HEAP_GROWTH_MAX = 32e6;

const { values, refuse } = benchCommand({
  script: 'fuzz',
  options: {
    minutes: { type: 'string', value: 'N', default: '0', what: 'of parsers, TLS and API calls' },
    rounds: { type: 'string', value: 'N', default: '0', what: 'of the same' },
    count: {
      type: 'string',
      value: 'N',
      what: 'datagrams at a live call (a million; behind rounds 200,000)',
    },
    seed: { type: 'string', value: 'N', default: '1', what: 'where chance begins' },
  },
});
const minutes = Number(values.minutes);
const roundsAsked = Number(values.rounds);
const count = Number(values.count ?? (minutes > 0 || roundsAsked > 0 ? 200_000 : 1_000_000));
const seed = Number(values.seed);
if (
  !(minutes >= 0 && roundsAsked >= 0) ||
  !Number.isSafeInteger(count) ||
  count < 1 ||
  !Number.isSafeInteger(seed)
) {
  refuse('--minutes and --rounds are numbers from 0 on, --count a positive integer, --seed an integer');
}

const untilMs = performance.now() + minutes * 60_000;
let rounds = 0;
for (; rounds < roundsAsked || performance.now() < untilMs; rounds++) {
  fuzzParsers(seed + rounds, 20_000);
  await fuzzTls(seed + rounds, 50);
  fuzzCalls(seed + rounds);
}
if (rounds > 0)
  console.log(`${rounds} rounds of parsers, TLS and API calls from seed ${seed} on: nothing found`);

const startedAt = performance.now();
console.log(`seed ${seed}, ${count} datagrams`);
const call = new FuzzedCall(seed);
let done = 0;

/** Attacks up to `part` of the count; returns the memory in use then. */
function attackUntil(part: number): number {
  const until = Math.ceil(part * count);
  call.attack(until - done, PER_MS);
  done = until;
  process.stderr.write(`\r${(100 * part).toFixed(0).padStart(3)} %`);
  return bytesInUse();
}

// Half-open connections come and go, and buffers are freed late: the lowest of a few readings is what is held.
const before = Math.min(attackUntil(0.1), attackUntil(0.15), attackUntil(0.2), attackUntil(0.25));
for (let part = 0.3; part < 0.8; part += 0.05) attackUntil(part);
const growth = Math.min(attackUntil(0.85), attackUntil(0.9), attackUntil(0.95), attackUntil(1)) - before;
const report = call.finish();
process.stderr.write('\r     \r');
const seconds = (performance.now() - startedAt) / 1000;
console.log(
  `media frames on time ${report.framesOnTime} of ${report.framesSent}, call ${report.isOpen ? 'open' : 'CLOSED'}; ` +
    `hostile callers ${report.hostileCalls}; connections at once, at most ${report.connectionsMax}; ` +
    `heap growth ${(growth / 1e6).toFixed(1)} MB; ${((1e6 * seconds) / count).toFixed(1)} us a datagram`,
);
const isGood = report.framesOnTime === report.framesSent && report.isOpen && growth < HEAP_GROWTH_MAX;
console.log(isGood ? 'passed' : `FAILED (seed ${seed})`);
process.exitCode = isGood ? 0 : 1;
