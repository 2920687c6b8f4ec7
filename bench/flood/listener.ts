/** The end under test: takes the caller's media and measures how late each frame is, and how much memory there is. */
import process from 'node:process';
import { type Connection, type Listener, listen } from '../../src/index.ts';
import { HOST, machineUs, PASSPHRASE } from './media.ts';

const MB = 1_048_576;
const SAMPLE_MS = 250;

/** What the listener says of a stretch of time. */
export interface Stretch {
  readonly frames: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Most memory of the process in this time, MB. */
  readonly rssMb: number;
  readonly heapMb: number;
  /** Processor time of the process, share of one core. */
  readonly cpuShare: number;
  readonly counters: Readonly<Record<string, number>>;
}

/** Frames of the present stretch, ms. */
let latenciesMs: number[] = [];
let rss = 0;
let cpuUs = 0;
let beganUs = 0;
let heap = 0;

async function receive(connection: Connection): Promise<void> {
  for await (const track of connection.incomingTracks) {
    void (async () => {
      for await (const frame of track) latenciesMs.push((machineUs() - frame.timestamp) / 1000);
    })();
  }
}

function sample(): void {
  const memory = process.memoryUsage();
  rss = Math.max(rss, memory.rss);
  heap = Math.max(heap, memory.heapUsed + memory.external);
}

function cpuNowUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function stretch(listener: Listener): Stretch {
  latenciesMs.sort((a, b) => a - b);
  const at = (share: number): number => latenciesMs[Math.floor(latenciesMs.length * share)] ?? Number.NaN;
  const counters = { ...listener.getStats() };
  return {
    frames: latenciesMs.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: latenciesMs.at(-1) ?? Number.NaN,
    rssMb: rss / MB,
    heapMb: heap / MB,
    cpuShare: (cpuNowUs() - cpuUs) / (machineUs() - beganUs),
    counters,
  };
}

/** Runs until the process is ended. */
export async function serve(): Promise<void> {
  const listener = await listen({ host: HOST, passphrase: PASSPHRASE });
  setInterval(sample, SAMPLE_MS);
  process.on('message', (message) => {
    if (message === 'end') process.send?.(stretch(listener));
    latenciesMs = [];
    rss = 0;
    heap = 0;
    cpuUs = cpuNowUs();
    beganUs = machineUs();
    sample();
  });
  process.send?.(listener.address.port);
  for await (const connection of listener) void receive(connection);
}
