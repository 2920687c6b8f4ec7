/**
 * F5, F6: the receiving application is slow, or never reads. Streams wait without a deadlock even when every credit
 * update is lost, live tracks stay at the live edge, memory stays within its bounds, and the sender can say why.
 */
import { MILLISECOND } from '../../src/base/protocol.ts';
import { symmetric } from '../../src/sim/network.ts';
import { STREAM_WINDOW_MAX } from '../../src/stream/flow.ts';
import type { FailureCase } from './case.ts';
import { heldBytes } from './invariants.ts';
import { World } from './world.ts';

const NETWORK = symmetric({
  delayMs: 30,
  rateBps: 20e6,
  queue: { ms: 100 },
  jitter: { kind: 'late', ms: 2 },
});
const SLOW_MS = 10_000;
const DARK_FROM_MS = 4_000;
const DARK_FOR_MS = 3_000;

/** Loses every packet of the server's that carries MAX_DATA or MAX_STREAM_DATA while `isDark` holds. */
function loseCredit(world: World, isDark: () => boolean): void {
  const { streams } = world.pair.server.connection;
  const write = streams.writeFrames.bind(streams);
  let hasCredit = false;
  streams.writeFrames = (writer, record, now) => {
    const hasWritten = write(writer, record, now);
    if (hasWritten) hasCredit = true;
    return hasWritten;
  };
  world.pair.network.down.addTap(() => {
    const isLost = hasCredit && isDark();
    hasCredit = false;
    return !isLost;
  });
}

/** Longest time in which the stream gave nothing once its reader was fast again, ms. */
function slowReader(seed: number): { stallMs: number; liveP99Ms: number; inTime: number } {
  const world = new World({ seed, network: NETWORK });
  world.connect();
  const startUs = world.now;
  loseCredit(world, () => {
    const atMs = (world.now - startUs) / MILLISECOND;
    return atMs >= DARK_FROM_MS && atMs < DARK_FROM_MS + DARK_FOR_MS;
  });
  const video = world.track({ frameBytes: 6_000, durationMs: SLOW_MS + 2_000 });
  const stream = world.stream({ bytes: 6_000_000, readBytes: 100_000, readEveryMs: 250 });
  world.run(SLOW_MS);
  stream.hurry();
  stream.longestWaitUs = 0;
  stream.lastReadUs = world.now;
  if (!world.runUntil(() => stream.isFinished, 30_000))
    throw new Error(`the stream stands at ${stream.readBytes}`);
  world.run(3_000);
  world.assertOpen();
  const { longestWaitUs } = stream;
  return {
    stallMs: longestWaitUs / MILLISECOND,
    liveP99Ms: video.latencyMs(0.99),
    inTime: video.inTimeRatio(startUs + 1_000 * MILLISECOND),
  };
}

/** A reader that stops for ever: what both ends hold after a minute, against after ten seconds. */
function deadReader(seed: number): { growthBytes: number; serverBytes: number; saidSo: boolean } {
  const world = new World({ seed, network: NETWORK });
  world.connect();
  const stream = world.stream({ bytes: 200_000_000 });
  stream.isReading = false;
  const video = world.track({ frameBytes: 6_000, durationMs: 60_000 });
  video.isReading = false;
  const held = (): number => heldBytes(world.pair.server, world.opened) + stream.send.bufferedBytes;
  world.run(10_000);
  const before = held();
  world.run(50_000);
  world.assertOpen();
  const { streams } = world.pair.client.connection;
  return {
    growthBytes: held() - before,
    serverBytes: heldBytes(world.pair.server, world.opened),
    saidSo: streams.isBlocked,
  };
}

export const slowReaders: readonly FailureCase[] = [
  {
    row: 'F5',
    name: 'slow reader for 10 s, all credit lost for 3 s',
    figure: 'longest stall of the stream once its reader is fast again',
    unit: 'ms',
    most: 500,
    run: (seed) => {
      const { stallMs, liveP99Ms, inTime } = slowReader(seed);
      if (inTime < 0.99) throw new Error(`only ${inTime} of the live frames were in time`);
      return { value: stallMs, notes: { liveP99Ms, inTime } };
    },
  },
  {
    row: 'F6',
    name: 'reader that stops for ever',
    figure: 'growth of what both ends hold, from 10 s to 60 s',
    unit: 'bytes',
    most: 65_536,
    run: (seed) => {
      const { growthBytes, serverBytes, saidSo } = deadReader(seed);
      if (!saidSo) throw new Error('the sender does not say that it waits for the peer');
      if (serverBytes > STREAM_WINDOW_MAX + 2_000_000) throw new Error(`${serverBytes} bytes are held`);
      return { value: growthBytes, notes: { serverBytes } };
    },
  },
];
