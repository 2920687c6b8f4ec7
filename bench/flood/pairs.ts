/** One pair: the same call for a while without the flood, then with it. Out: both, and how they differ. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Question, Stretch } from './listener.ts';

/** Frames on their way, and pauses for collecting garbage, belong to no stretch. */
const SETTLE_SECONDS = 1;
/** A handshake under way is given up after ten seconds. */
const HANDSHAKES_SECONDS_MAX = 30;
const POLL_SECONDS = 0.25;

export interface Pair {
  readonly quiet: Stretch;
  readonly flooded: Stretch;
  /** p99 of the flooded stretch less that of the quiet one. */
  readonly latencyRiseMs: number;
  /** First packets that were sent; answered by a Retry or a handshake; neither. */
  readonly sent: number;
  readonly answered: number;
  readonly dropped: number;
  /** In use at the listener when the flood ends, with the handshakes under way, garbage collected; bytes. */
  readonly memoryBytes: number;
}

export interface Flood {
  readonly listener: ChildProcess;
  readonly attacker: ChildProcess;
  /** First packets of one stretch. */
  readonly packets: number;
  readonly seconds: number;
}

/** The next message of a process. Rejects when it ends before. */
export function heard<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void =>
      reject(new Error(`a process of the bench ended with ${code}`));
    child.once('exit', onExit);
    child.once('message', (message) => {
      child.off('exit', onExit);
      resolve(message as T);
    });
  });
}

function tell<T>(child: ChildProcess, message: number | Question): Promise<T> {
  const answer = heard<T>(child);
  child.send(message);
  return answer;
}

/** Bytes in use at the listener, garbage collected. */
export function memoryOf(listener: ChildProcess): Promise<number> {
  return tell<number>(listener, 'memory');
}

/** What the flood before has left under way would be part of the quiet stretch. */
async function untilNoHandshake(listener: ChildProcess): Promise<void> {
  for (let seconds = 0; seconds < HANDSHAKES_SECONDS_MAX; seconds += POLL_SECONDS) {
    if ((await tell<number>(listener, 'handshakes')) === 0) return;
    await sleep(1000 * POLL_SECONDS);
  }
  throw new Error(`handshakes that nobody goes on with are still there after ${HANDSHAKES_SECONDS_MAX} s`);
}

export async function measurePair({ listener, attacker, packets, seconds }: Flood): Promise<Pair> {
  await untilNoHandshake(listener);
  await sleep(1000 * SETTLE_SECONDS);
  await tell(listener, 'begin');
  await sleep(1000 * seconds);
  const quiet = await tell<Stretch>(listener, 'end');
  const sent = await tell<number>(attacker, packets);
  const flooded = await tell<Stretch>(listener, 'end');
  const answered = flooded.handshakes + flooded.retries;
  const memoryBytes = await memoryOf(listener);
  const latencyRiseMs = flooded.p99Ms - quiet.p99Ms;
  return { quiet, flooded, latencyRiseMs, sent, answered, dropped: sent - answered, memoryBytes };
}
