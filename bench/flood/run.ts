/**
 * Question: what does a flood of first packets from forged addresses cost a call that is under way?
 * Workload: a listener with one caller who publishes video (30 frames a second of 8 kB) and audio (50 a second of 160 B)
 * over loopback; 10,000 genuine first packets a minute, each from an address and port of its own (127.0.0.0/8) that never
 * answers. A bad answer: media latency p99 more than 5 ms higher, or memory more than 16 MB above what it was.
 * Method: pairs of short stretches, quiet and flooded in turn, with one connection throughout; what else the machine does
 * reaches both stretches of a pair, and the median of the differences leaves out a pair that it did not reach alike. A quiet
 * stretch begins when no handshake of the flood before is under way. Three processes, one clock (CLOCK_MONOTONIC); latency
 * from `send` to the frame in the listener's hands; memory after garbage collection, between stretches.
 * Usage: `npm run bench:flood -- --help`. Linux.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { median } from '../kernel/median.ts';
import { benchCommand } from '../report/command-line.ts';
import { gatherFacts } from '../report/facts.ts';
import { attack } from './attacker.ts';
import { serve } from './listener.ts';
import { heard, measurePair, memoryOf, type Pair } from './pairs.ts';
import { publish } from './publisher.ts';

const PER_SECOND = 10_000 / 60;
const WARM_UP_SECONDS = 5;
const LATENCY_RISE_MAX_MS = 5;
const MEMORY_RISE_MAX_MB = 16;
const MB = 1_048_576;

interface Result {
  readonly pairs: readonly Pair[];
  /** In use before the first flood. */
  readonly memoryBytes: number;
  readonly latencyRiseMs: number;
  readonly memoryRiseMb: number;
  readonly isGood: boolean;
}

function start(role: string, ...rest: (number | string)[]): ChildProcess {
  return fork(fileURLToPath(import.meta.url), [role, ...rest.map(String)], { stdio: 'inherit' });
}

function judge(pairs: readonly Pair[], memoryBytes: number): Result {
  const latencyRiseMs = median(pairs.map((pair) => pair.latencyRiseMs)) ?? Number.NaN;
  const memoryRiseMb = (Math.max(...pairs.map((pair) => pair.memoryBytes)) - memoryBytes) / MB;
  const isGood = latencyRiseMs <= LATENCY_RISE_MAX_MS && memoryRiseMb <= MEMORY_RISE_MAX_MB;
  return { pairs, memoryBytes, latencyRiseMs, memoryRiseMb, isGood };
}

/** One line of the table on the screen. */
function lineOf({ quiet, flooded, ...pair }: Pair, before: number): Readonly<Record<string, number>> {
  const rounded = (value: number): number => Number(value.toFixed(2));
  return {
    'quiet p50 ms': rounded(quiet.p50Ms),
    'quiet p99 ms': rounded(quiet.p99Ms),
    'flooded p50 ms': rounded(flooded.p50Ms),
    'flooded p99 ms': rounded(flooded.p99Ms),
    'p99 rise ms': rounded(pair.latencyRiseMs),
    'memory rise MB': rounded((pair.memoryBytes - before) / MB),
    sent: pair.sent,
    retries: flooded.retries,
    handshakes: flooded.handshakes,
    dropped: pair.dropped,
  };
}

async function measure(count: number, seconds: number): Promise<Result> {
  const children: ChildProcess[] = [];
  const started = (child: ChildProcess): ChildProcess => {
    children.push(child);
    return child;
  };
  try {
    const listener = started(start('listener'));
    const port = await heard<number>(listener);
    const publisher = started(start('publisher', port));
    await heard(publisher);
    const packets = Math.round(PER_SECOND * seconds);
    // It makes its packets first: that is no part of the question.
    const attacker = started(start('attacker', port, packets * count));
    await heard(attacker);
    await sleep(1000 * WARM_UP_SECONDS);
    const memoryBytes = await memoryOf(listener);
    const pairs: Pair[] = [];
    while (pairs.length < count) {
      pairs.push(await measurePair({ listener, attacker, packets, seconds }));
      const rise = (pairs.at(-1) as Pair).latencyRiseMs.toFixed(2);
      console.error(`pair ${pairs.length} of ${count}: p99 ${rise} ms higher with the flood`);
    }
    console.table(pairs.map((pair) => lineOf(pair, memoryBytes)));
    return judge(pairs, memoryBytes);
  } finally {
    for (const child of children) child.kill();
  }
}

async function main(): Promise<void> {
  const { values, refuse } = benchCommand({
    script: 'bench:flood',
    options: {
      json: { type: 'string', value: 'FILE', what: 'figures as data' },
      pairs: { type: 'string', value: 'N', default: '6', what: 'of a quiet and a flooded stretch' },
      seconds: { type: 'string', value: 'N', default: '5', what: 'how long each stretch lasts' },
    },
  });
  const count = Number(values.pairs);
  const seconds = Number(values.seconds);
  if (!(Number.isSafeInteger(count) && count > 0)) refuse('--pairs is a positive integer');
  if (!(seconds >= 1)) refuse('--seconds is at least 1');
  const result = await measure(count, seconds);
  const { latencyRiseMs, memoryRiseMb, isGood } = result;
  console.log(
    `media latency p99 ${latencyRiseMs.toFixed(2)} ms higher (median of ${count} pairs), memory ${memoryRiseMb.toFixed(1)} MB higher: ${isGood ? 'good' : 'BAD'}`,
  );
  if (values.json !== undefined) {
    const facts = gatherFacts('bench:flood');
    writeFileSync(values.json, `${JSON.stringify({ ...facts, ...result }, null, 1)}\n`);
  }
  process.exitCode = isGood ? 0 : 1;
}

const [role = '', port = '', count = ''] = process.argv.slice(2);
if (role === 'listener') await serve();
else if (role === 'publisher') await publish(Number(port));
else if (role === 'attacker') await attack(Number(port), Number(count), PER_SECOND);
else await main();
