/**
 * F2: a server resends without end. Here bytes on the wire stay within a bound of the media bytes, whatever is lost; and a
 * policer is not met with ever more of them.
 */
import { type NetworkSpec, symmetric } from '../../src/sim/network.ts';
import type { FailureCase } from './case.ts';
import { TcpRun } from './tcp-run.ts';
import { World } from './world.ts';

const DURATION_MS = 10_000;
const FRAME_BYTES = 8_333;
/**
 * What headers, repair and resends may add at this loss: headers are a tenth at the most, every byte is sent
 * 1/(1 - p) times on average, and as much again covers what must be sent before it is known to be lost.
 */
function boundAt(lossRatio: number): number {
  return 1.12 / (1 - lossRatio) ** 2;
}

/** IP bytes of the media direction for each media byte, over a call at 2 Mbit/s, and the loss that it met. */
function wireRatio(seed: number, network: NetworkSpec): { ratio: number; met: number; inTime: number } {
  const world = new World({ seed, network, startBitrateBps: 2e6 });
  world.connect();
  world.run(1_000);
  const { statistics } = world.pair.network.up;
  const { offeredBytes, offered, lost } = statistics;
  const video = world.track({ frameBytes: FRAME_BYTES, durationMs: DURATION_MS, isAdaptive: true });
  world.run(DURATION_MS + 2_000);
  world.assertOpen();
  const met = (statistics.lost - lost) / (statistics.offered - offered);
  const ratio = (statistics.offeredBytes - offeredBytes) / video.mediaBytes;
  return { ratio, met, inTime: video.inTimeRatio() };
}

function atLoss(lossRatio: number): FailureCase {
  const network = symmetric({
    delayMs: 30,
    rateBps: 20e6,
    queue: { ms: 200 },
    loss: { kind: 'iid', ratio: lossRatio },
  });
  return {
    row: 'F2',
    name: `wire bytes at ${lossRatio * 100} % loss`,
    figure: 'IP bytes per media byte, scaled to that loss',
    unit: '',
    most: Number(boundAt(lossRatio).toFixed(2)),
    run: (seed) => {
      const { ratio, met, inTime } = wireRatio(seed, network);
      // A call of seconds meets a little more loss than its path has, or less: the bound is for the path.
      return { value: ratio * ((1 - met) / (1 - lossRatio)) ** 2, notes: { unscaled: ratio, met, inTime } };
    },
  };
}

/** A policer at 1 Mbit/s in front of 2 Mbit/s of media: what it drops is lost for good, so sending more helps nobody. */
const POLICED: NetworkSpec = {
  up: { delayMs: 30, rateBps: 20e6, policer: { rateBps: 1e6, burstBytes: 30_000 } },
  down: { delayMs: 30, rateBps: 20e6 },
};

export const boundedResend: readonly FailureCase[] = [
  ...[0, 0.02, 0.1, 0.3].map(atLoss),
  {
    row: 'F2',
    name: 'wire bytes before a policer of half the rate',
    figure: 'share of the IP bytes that the policer drops, after 3 s',
    unit: '',
    most: 0.25,
    run: (seed) => {
      const world = new World({ seed, network: POLICED, startBitrateBps: 2e6 });
      world.connect();
      const video = world.track({ frameBytes: FRAME_BYTES, durationMs: 12_000, isAdaptive: true });
      world.run(3_000);
      const { statistics } = world.pair.network.up;
      const { offered, policed } = statistics;
      world.run(10_000);
      return {
        value: (statistics.policed - policed) / (statistics.offered - offered),
        tcp: () => {
          const tcp = new TcpRun({ seed, network: POLICED, frameBytes: FRAME_BYTES, durationMs: 12_000 });
          return tcp.network.up.statistics.policed / tcp.network.up.statistics.offered;
        },
        notes: { inTimeAfter3s: video.inTimeRatio(3e6) },
      };
    },
  },
];
