/**
 * Question: what does a flood of first packets from forged addresses cost a call that is under way?
 * Workload: a listener with one caller who publishes video (30 frames a second of 8 kB) and audio (50 a second of 160 B)
 * over loopback; 10,000 genuine first packets a minute, each from an address and port of its own (127.0.0.0/8) that never
 * answers. Before it, as long as asked, the same call without the flood.
 * A bad answer: media latency p99 more than 5 ms above, or memory more than 16 MB above what they were before.
 * Method: three processes, one clock (CLOCK_MONOTONIC); latency from `send` to the frame in the listener's hands.
 * Usage: `npm run bench:flood -- --help`. Linux.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { benchCommand } from '../report/command-line.ts';
import { attack } from './attacker.ts';
import { type Stretch, serve } from './listener.ts';
import { publish } from './publisher.ts';

const PER_MINUTE = 10_000;
const LATENCY_RISE_MAX_MS = 5;
const MEMORY_RISE_MAX_MB = 16;

function start(role: string, ...rest: string[]): ChildProcess {
  return fork(fileURLToPath(import.meta.url), [role, ...rest], { stdio: 'inherit' });
}

const heard = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve) => child.once('message', (message) => resolve(message as T)));

const wait = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function measure(listener: ChildProcess, seconds: number): Promise<Stretch> {
  listener.send('begin');
  await wait(seconds);
  const stretch = heard<Stretch>(listener);
  listener.send('end');
  return stretch;
}

async function main(): Promise<void> {
  const { values, refuse } = benchCommand({
    script: 'bench:flood',
    options: {
      json: { type: 'string', value: 'FILE', what: 'figures as data' },
      seconds: { type: 'string', value: 'N', default: '60', what: 'how long the flood lasts' },
      before: { type: 'string', value: 'N', default: '20', what: 'how long the call is watched without it' },
    },
  });
  if (!(Number(values.seconds) > 0 && Number(values.before) > 0))
    refuse('--seconds and --before are positive');
  const listener = start('listener');
  const port = `${await heard<number>(listener)}`;
  const publisher = start('publisher', port);
  await heard(publisher);
  await wait(5);
  const before = await measure(listener, Number(values.before));
  const seconds = Number(values.seconds);
  // It makes its packets first: that is no part of the question.
  const attacker = start(
    'attacker',
    port,
    `${Math.round((PER_MINUTE / 60) * seconds)}`,
    `${PER_MINUTE / 60}`,
  );
  await heard(attacker);
  const during = await measure(listener, seconds);
  for (const child of [attacker, publisher, listener]) child.kill();
  const latencyRiseMs = during.p99Ms - before.p99Ms;
  const memoryRiseMb = during.rssMb - before.rssMb;
  const isGood = latencyRiseMs <= LATENCY_RISE_MAX_MS && memoryRiseMb <= MEMORY_RISE_MAX_MB;
  console.table({ before, during });
  console.log(`p99 ${latencyRiseMs.toFixed(2)} ms higher, memory ${memoryRiseMb.toFixed(1)} MB higher`);
  if (values.json !== undefined) {
    writeFileSync(
      values.json,
      `${JSON.stringify({ before, during, latencyRiseMs, memoryRiseMb, isGood }, null, 2)}\n`,
    );
  }
  process.exitCode = isGood ? 0 : 1;
}

const [role = '', port = '', count = '', perSecond = ''] = process.argv.slice(2);
if (role === 'listener') await serve();
else if (role === 'publisher') await publish(Number(port));
else if (role === 'attacker') await attack(Number(port), Number(count), Number(perSecond));
else await main();
