/**
 * F12, F13: timers that fire for nothing. A clean path sees no packet twice in ten minutes; a path whose round trip goes
 * from 20 to 600 ms at once sees one round of needless resends at the most, and takes them back.
 */
import { symmetric } from '../../src/sim/network.ts';
import type { FailureCase } from './case.ts';
import { TcpRun } from './tcp-run.ts';
import { World } from './world.ts';

const CLEAN = symmetric({ delayMs: 25, rateBps: 20e6, queue: { ms: 100 }, jitter: { kind: 'late', ms: 3 } });

/** What was sent again, or declared lost, in so many minutes of speech, text and silence on a clean path. */
function needlessResends(seed: number, minutes: number): number {
  const world = new World({ seed, network: CLEAN });
  world.connect();
  const audio = world.track({
    kind: 'audio',
    frameBytes: 400,
    framesPerSecond: 20,
    durationMs: minutes * 60_000,
  });
  // A line of text now and then: the last packet of each waits for a delayed acknowledgement.
  const { host, connection } = world.pair.client;
  const text = host.call(() => connection.streams.open('unidirectional'));
  const random = world.pair.sim.random.fork();
  while (!audio.isEnded) {
    world.run(50 + random.unit() * 2_000);
    host.call(() => text?.write(new Uint8Array(1 + Math.floor(random.unit() * 3_000))));
  }
  world.run(1_000);
  world.assertOpen();
  const { recovery, streams } = connection.state;
  const { statistics } = recovery;
  return (
    statistics.lost +
    statistics.spurious +
    streams.counters.resentBytes +
    audio.sender.statistics.symbolsResent
  );
}

const STEP_AT_MS = 3_000;
const STEP = [{ atMs: STEP_AT_MS, do: 'set', link: 'both', options: { delayMs: 300 } }] as const;
const BEFORE = symmetric({ delayMs: 10, rateBps: 20e6, queue: { ms: 400 } });

export const timers: readonly FailureCase[] = [
  {
    row: 'F12',
    name: 'spurious retransmissions on a clean path, 1 min',
    figure: 'packets declared lost and bytes sent again',
    unit: '',
    most: 0,
    run: (seed) => ({ value: needlessResends(seed, 1) }),
  },
  {
    row: 'F12',
    name: 'spurious retransmissions on a clean path, 10 min',
    figure: 'packets declared lost and bytes sent again',
    unit: '',
    most: 0,
    run: (seed) => ({ value: needlessResends(seed, 10) }),
  },
  {
    row: 'F13',
    name: 'round trip from 20 to 600 ms at once',
    figure: 'bytes sent for nothing, in round trips of media',
    unit: 'rounds',
    most: 1,
    run: (seed) => {
      const world = new World({ seed, network: BEFORE, steps: STEP, startBitrateBps: 2e6 });
      world.connect();
      const video = world.track({
        frameBytes: 4_000,
        durationMs: 12_000,
        latencyMs: 1_500,
        isAdaptive: true,
      });
      world.run(STEP_AT_MS + 12_000);
      world.assertOpen();
      const { lost, spurious } = world.pair.client.connection.state.recovery.statistics;
      if (lost !== spurious) throw new Error(`${lost} packets declared lost, ${spurious} of them undone`);
      const roundBytes = (4_000 * 30 * 600) / 1_000;
      const tcpSpec = { seed, network: BEFORE, steps: STEP, frameBytes: 4_000, durationMs: 12_000 };
      return {
        value: video.sender.statistics.resendBytes / roundBytes,
        tcp: () => new TcpRun(tcpSpec).flow.statistics.retransmittedBytes / roundBytes,
        notes: { declaredLost: lost, inTime: video.inTimeRatio(), targetBps10sAfter: video.targetBps ?? 0 },
      };
    },
  },
];
