/** What the processes of the flood bench agree on: credentials, media, one clock. */
import process from 'node:process';

export const HOST = '127.0.0.1';
export const PASSPHRASE = 'correct horse battery staple';

/** Frames of one track. */
export interface Pace {
  readonly intervalMs: number;
  readonly bytes: number;
}
export const VIDEO: Pace = { intervalMs: 1000 / 30, bytes: 8000 };
export const AUDIO: Pace = { intervalMs: 20, bytes: 160 };

/** CLOCK_MONOTONIC in us: the same in every process of a machine. */
export function machineUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
