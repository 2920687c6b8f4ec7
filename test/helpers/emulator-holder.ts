/**
 * A program that holds an emulated path with a program at each end, for tests that end it in bad ways. Prints one JSON line:
 * process ids and the namespaces.
 */
import { readlinkSync } from 'node:fs';
import { startEmulator } from '../../bench/kernel/emulator/emulator.ts';
import { symmetric } from '../../src/sim.ts';

const emulator = await startEmulator({ network: symmetric({ delayMs: 5 }) });
const inside = (['client', 'server'] as const).map((side) =>
  emulator.spawn(side, 'sh', ['-c', 'echo; sleep 1000'], { stdio: ['ignore', 'pipe', 'ignore'] }),
);
await Promise.all(inside.map((child) => new Promise((resolve) => child.stdout?.once('data', resolve))));
const namespaces = inside.map((child) => readlinkSync(`/proc/${child.pid}/ns/net`));
process.stdout.write(`${JSON.stringify({ emulator: emulator.pid, namespaces })}\n`);
