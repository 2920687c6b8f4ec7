/**
 * Question: how much does one stream carry, encrypted, between two processes of one machine?
 * Workload: 1 GB over one stream on loopback, with sodium-native and then with node:crypto. The receiver fingerprints
 * what it gets (content.ts says how, and why that costs next to nothing).
 * A bad answer: under 600 Mbit/s with sodium-native on two cores, resident memory that grows by 64 MB, another hash.
 * Usage: `npm run bench:throughput -- --help`.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { bestCrypto } from '../../src/node/seal.ts';
import { benchCommand } from '../report/command-line.ts';
import { Content, Fingerprint, PIECE_BYTES } from './content.ts';
import type { Cost, Message, Task } from './end.ts';

const MBPS_MIN = 600;
const RSS_GROWTH_MAX = 64e6;
const END = fileURLToPath(new URL('./end.ts', import.meta.url));

interface Result {
  readonly mbps: number;
  /** Of the end whose memory grew more. */
  readonly rssGrowthBytes: number;
  readonly hash: string;
  /** Both ends together. */
  readonly cpuSecondsPerGbit: number;
  readonly isHashRight: boolean;
}

function start(role: 'receive' | 'send', task: Task, onMessage: (message: Message) => void): ChildProcess {
  const profile = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`];
  const child = fork(END, [role, JSON.stringify(task)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [...process.execArgv, ...profile],
  });
  child.on('message', onMessage);
  return child;
}

function exited(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`an end failed with exit code ${code}`)),
    );
  });
}

async function transfer(task: Task, hash: string): Promise<Result> {
  const costs: Cost[] = [];
  let sender: ChildProcess | undefined;
  let sending: Promise<void> | undefined;
  const receiver = start('receive', task, (message) => {
    if (message.type === 'listening') {
      sender = start('send', { ...task, port: message.port }, (said) => {
        if (said.type === 'done') costs.push(said);
      });
      sending = exited(sender);
      sending.catch(() => receiver.kill());
    } else if (message.type === 'done') {
      costs.push(message);
    } else if (message.type === 'progress') {
      process.stderr.write(`\r${((100 * message.bytes) / task.bytes).toFixed(0).padStart(3)} %`);
    }
  });
  await exited(receiver);
  await sending;
  process.stderr.write('\r     \r');
  const received = costs.find((cost) => cost.hash !== '') as Cost;
  const gigabits = (8 * task.bytes) / 1e9;
  return {
    mbps: (1000 * gigabits) / received.seconds,
    rssGrowthBytes: Math.max(...costs.map((cost) => cost.rssGrowthBytes)),
    hash: received.hash,
    cpuSecondsPerGbit: costs.reduce((sum, cost) => sum + cost.cpuSeconds, 0) / gigabits,
    isHashRight: received.hash === hash && received.bytes === task.bytes,
  };
}

function expectedHash(bytes: number, seed: number): string {
  const content = new Content(seed);
  const fingerprint = new Fingerprint();
  for (let index = 0; fingerprint.bytes < bytes; index++) {
    fingerprint.update(content.piece(index).subarray(0, Math.min(PIECE_BYTES, bytes - fingerprint.bytes)));
  }
  return fingerprint.digest();
}

function report(name: string, result: Result): void {
  const { mbps, rssGrowthBytes, cpuSecondsPerGbit, isHashRight } = result;
  console.log(
    `${name.padEnd(14)} ${mbps.toFixed(0).padStart(6)} Mbit/s   rss growth ${(rssGrowthBytes / 1e6).toFixed(1).padStart(5)} MB   ` +
      `${cpuSecondsPerGbit.toFixed(2)} CPU s/Gbit (both ends)   content ${isHashRight ? 'right' : 'WRONG'}`,
  );
}

const { values, refuse } = benchCommand({
  script: 'bench:throughput',
  options: {
    json: { type: 'string', value: 'FILE', what: 'figures as data' },
    bytes: { type: 'string', value: 'N', default: '1e9', what: 'how much is carried' },
    seed: { type: 'string', value: 'N', default: '1', what: 'of the content' },
    profile: { type: 'string', value: 'FOLDER', what: 'processor profiles of both ends' },
  },
});
const bytes = Number(values.bytes);
const seed = Number(values.seed);
if (!(Number.isSafeInteger(bytes) && bytes > 0 && Number.isSafeInteger(seed)))
  refuse('--bytes is a positive integer, --seed an integer');
const hash = expectedHash(bytes, seed);
const { engine } = bestCrypto();
if (engine !== 'sodium-native')
  console.error('sodium-native does not load here: the first run uses node:crypto too');
const best = await transfer({ aead: 'auto', bytes, seed }, hash);
report(engine, best);
const nodeCrypto = await transfer({ aead: 'node', bytes, seed }, hash);
report('node:crypto', nodeCrypto);
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ engine, bytes, ...best, nodeCrypto }, undefined, 2)}\n`);
}
const isFast = best.mbps >= MBPS_MIN && best.rssGrowthBytes < RSS_GROWTH_MAX;
console.log(
  `required: ${MBPS_MIN} Mbit/s, rss growth under ${RSS_GROWTH_MAX / 1e6} MB: ${isFast ? 'met' : 'NOT MET'}`,
);
process.exitCode = isFast && best.isHashRight && nodeCrypto.isHashRight ? 0 : 1;
