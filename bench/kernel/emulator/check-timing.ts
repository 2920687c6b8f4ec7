/**
 * Question: how exact is the emulator in time?
 * Workload: 50 Mbit/s of full packets through a link of known delay, for some seconds. Measured twice: by the emulator
 * (handed over later than the link said) and from socket to socket (arrived later than delay after sending), which also
 * counts how late the emulator reads and what the two ends cost themselves.
 * A bad answer: a p99 of the emulator's own error of 1 ms or more; a packet lost.
 */
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { symmetric } from '../../../src/sim.ts';
import { SERVER_ADDRESS } from './addresses.ts';
import { type Emulator, startEmulator, TYPESCRIPT } from './emulator.ts';
import { Lateness, type LatenessSummary } from './lateness.ts';

const PROBE = fileURLToPath(new URL('./probe.ts', import.meta.url));
/** Real-time priority: what the two ends themselves add must not be the machine's other work. */
const PUNCTUAL: readonly string[] = ['--rr', '1', process.execPath, ...TYPESCRIPT, PROBE];
const DELAY_MS = 20;
/** What the task of this bench asks for. */
export const TIMING_ERROR_P99_US_MAX = 1_000;

/** How exact a run was. */
export interface TimingCheck {
  readonly rateBps: number;
  readonly packets: number;
  readonly lost: number;
  readonly emulator: LatenessSummary;
  readonly endToEnd: LatenessSummary;
  /** Emulator's processor time per second of the run. */
  readonly cpuRatio: number;
}

async function said(emulator: Emulator, packets: number, rateBps: number): Promise<number[]> {
  const receiver = emulator.spawn('server', 'chrt', [...PUNCTUAL, 'receive', String(packets)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await new Promise((resolve) => receiver.stderr?.once('data', resolve));
  const sender = emulator.spawn(
    'client',
    'chrt',
    [...PUNCTUAL, 'send', SERVER_ADDRESS, String(packets), String(rateBps)],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  if (receiver.stdout === null) throw new Error('the receiver has no stdout');
  const output = await text(receiver.stdout);
  sender.kill();
  return JSON.parse(output) as number[];
}

/** Runs the check. Takes the seconds given and about two more. */
export async function checkTiming(rateBps = 50e6, seconds = 5): Promise<TimingCheck> {
  const emulator = await startEmulator({ network: symmetric({ delayMs: DELAY_MS }) });
  try {
    const packets = Math.round((rateBps * seconds) / 12_000);
    const before = await emulator.statistics();
    const tookUs = await said(emulator, packets, rateBps);
    const after = await emulator.statistics();
    const endToEnd = new Lateness();
    for (const us of tookUs) endToEnd.add(us - DELAY_MS * 1_000);
    return {
      rateBps,
      packets,
      lost: packets - tookUs.length,
      emulator: after.up.lateness,
      endToEnd: endToEnd.summary(),
      cpuRatio: (after.cpuSeconds - before.cpuSeconds) / seconds,
    };
  } finally {
    await emulator.close();
  }
}

/** The check in three lines. */
export function timingReport(check: TimingCheck): string {
  const line = (name: string, { p50Us, p99Us, p999Us, maxUs }: LatenessSummary): string =>
    `  ${name.padEnd(18)} p50 ${p50Us} us   p99 ${p99Us} us   p99.9 ${p999Us} us   max ${maxUs} us`;
  const load = `${check.packets} packets at ${check.rateBps / 1e6} Mbit/s, ${check.lost} lost`;
  return [
    `timing error: ${load}, ${(100 * check.cpuRatio).toFixed(0)} % of one processor`,
    line('of the emulator', check.emulator),
    line('socket to socket', check.endToEnd),
  ].join('\n');
}
