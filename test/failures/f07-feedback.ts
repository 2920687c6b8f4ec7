/** F7: lost acknowledgements make a sender believe that it stalled. Here half of the packets of the way back are lost. */
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { NetworkSpec } from '../../src/sim/network.ts';
import type { FailureCase } from './case.ts';
import { remembered } from './remember.ts';
import { TcpRun } from './tcp-run.ts';
import { World } from './world.ts';

const LINK = { delayMs: 30, rateBps: 10e6, queue: { ms: 100 }, jitter: { kind: 'late', ms: 1 } } as const;
const CLEAN: NetworkSpec = { up: LINK, down: LINK };
const LOSSY: NetworkSpec = { up: LINK, down: { ...LINK, loss: { kind: 'iid', ratio: 0.5 } } };

/**
 * Beyond the start, whose length is luck, and long enough that ten acknowledgements lost in a row, which happens every few
 * seconds and costs a part of one, weigh what they weigh in hours.
 */
const FROM_MS = 1_000;
const FOR_MS = 15_000;
/**
 * A round trip over a full queue, 160 ms, and ten acknowledgements lost in a row: a packet that the queue had no room for
 * comes again after so long. Whoever waits for a timer gives nothing for longer.
 */
const STALL_MS_MAX = 200;
/** More than the link carries in that time. */
const BYTES = 25_000_000;

/** What a stream gave in the time that counts. */
interface Received {
  readonly bytes: number;
  /** The longest time in which it gave nothing. */
  readonly stallMs: number;
}

function received(seed: number, network: NetworkSpec): Received {
  const world = new World({ seed, network });
  world.connect(30_000);
  const stream = world.stream({ bytes: BYTES });
  world.run(FROM_MS);
  const before = stream.readBytes;
  stream.longestWaitUs = 0;
  stream.lastReadUs = world.now;
  world.run(FOR_MS);
  world.assertOpen();
  // Also one that has not ended yet.
  const stallUs = Math.max(stream.longestWaitUs, world.now - stream.lastReadUs);
  return { bytes: stream.readBytes - before, stallMs: stallUs / MILLISECOND };
}

const lossyRun: (seed: number) => Received = remembered((seed) => received(seed, LOSSY));

/** A clean path gives the same with every seed but for its jitter: to one part in a hundred. */
const cleanRun: (seed: number) => Received = remembered((seed) => received(seed, CLEAN));

function tcpReceived(seed: number, network: NetworkSpec): number {
  let before = 0;
  let bytes = 0;
  const onData = (inOrder: number, atMs: number): void => {
    if (atMs <= FROM_MS) before = inOrder;
    bytes = inOrder - before;
  };
  new TcpRun({ seed, network, bytes: BYTES, durationMs: FROM_MS + FOR_MS, tailMs: 0, onData });
  return bytes;
}

export const feedback: readonly FailureCase[] = [
  {
    row: 'F7',
    name: '50 % loss on the way back, stream',
    figure: 'goodput that it costs',
    unit: '%',
    most: 10,
    run: (seed) => {
      const clean = cleanRun(1);
      const lossy = lossyRun(seed);
      return {
        value: 100 * (1 - lossy.bytes / clean.bytes),
        tcp: () => 100 * (1 - tcpReceived(seed, LOSSY) / tcpReceived(seed, CLEAN)),
      };
    },
  },
  {
    row: 'F7',
    name: '50 % loss on the way back, stream: stalls',
    figure: 'longest time in which the stream gives nothing',
    unit: 'ms',
    most: STALL_MS_MAX,
    run: (seed) => {
      const { stallMs } = lossyRun(seed);
      return { value: stallMs, notes: { cleanStallMs: cleanRun(1).stallMs } };
    },
  },
  {
    row: 'F7',
    name: '50 % loss on the way back, live video',
    figure: 'longest gap between two media frames',
    unit: 'ms',
    most: 100,
    run: (seed) => {
      const world = new World({ seed, network: LOSSY });
      world.connect();
      const video = world.track({ frameBytes: 16_000, durationMs: 5_000 });
      world.run(7_000);
      world.assertOpen();
      if (video.inTimeRatio() < 1) throw new Error(`only ${video.inTimeRatio()} of the media in time`);
      return { value: video.longestGapMs };
    },
  },
];
