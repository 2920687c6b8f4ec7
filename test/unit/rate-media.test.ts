/** The rate controller over a bottleneck in virtual time: utilisation, queue, loss, change, outage. */
import { describe, expect, it } from 'vitest';
import { MediaController } from '../../src/rate/media.ts';
import { RatePath, type RatePathOptions } from '../helpers/rate-path.ts';

const MBPS = 1e6;
/** 500 Mbit/s take a second or two, but not on a machine that does other things. */
const TIMEOUT_MS = 300_000;

interface Setup extends Partial<Omit<RatePathOptions, 'controller' | 'seed'>> {
  readonly seed?: number;
  readonly startBitrateBps?: number;
  readonly maxRateBps?: number;
  readonly lossTolerance?: 'aggressive' | 'rfc8083';
}

function run(seconds: number, setup: Setup): { path: RatePath; controller: MediaController } {
  const { seed = 1, startBitrateBps = 500_000, maxRateBps, lossTolerance, ...options } = setup;
  const controller = new MediaController({
    startBitrateBps,
    ...(lossTolerance === undefined ? {} : { lossTolerance }),
  });
  if (maxRateBps !== undefined) controller.setMaxRate(maxRateBps);
  const path = new RatePath({
    controller,
    seed,
    capacityBps: () => 20 * MBPS,
    rttMs: 40,
    queueMs: 300,
    ...options,
  });
  path.run(seconds);
  return { path, controller };
}

/** Capacity in Mbit/s that changes at given seconds. */
function steps(...changes: readonly (readonly [seconds: number, mbps: number])[]): (nowUs: number) => number {
  return (nowUs) => MBPS * (changes.findLast(([seconds]) => nowUs >= seconds * 1e6)?.[1] ?? 0);
}

describe('bulk over a bottleneck (seed 1)', () => {
  const cases = [2, 20, 500].flatMap((mbps) =>
    [1, 20, 150].flatMap((rttMs) => [0, 0.05, 0.1].map((loss) => ({ mbps, rttMs, loss }))),
  );
  it.each(cases)(
    'fills $mbps Mbit/s at $rttMs ms with loss $loss, with a short queue',
    ({ mbps, rttMs, loss }) => {
      const [from, to] = mbps === 500 ? [6, 9] : [10, 25];
      const { path } = run(to, {
        capacityBps: () => mbps * MBPS,
        rttMs,
        queueMs: loss === 0.05 ? 100 : 300,
        loss: () => loss,
        lossPlace: rttMs === 20 ? 'after' : 'before',
        turnMs: rttMs === 1 ? 5 : 0,
        packetBytes: mbps === 500 ? 1452 : 1200,
      });
      const report = path.report(from, to);
      const utilisation = report.deliveredBps / ((1 - loss) * mbps * MBPS);
      const reached = path.reached(0.8 * (1 - loss) * mbps * MBPS);
      const found =
        `${(100 * utilisation).toFixed(1)} % used, queue p50 ${report.queueP50Ms.toFixed(1)}` +
        ` p95 ${report.queueP95Ms.toFixed(1)} ms, 80 % after ${reached.toFixed(2)} s`;
      expect(utilisation, found).toBeGreaterThan(0.85);
      expect(report.queueP95Ms, found).toBeLessThan(60);
      expect(reached, found).toBeLessThan(rttMs === 150 ? 2.5 : 1);
    },
    TIMEOUT_MS,
  );
});

describe('the start', () => {
  it('begins at 1.3 times startBitrate', () => {
    expect(new MediaController({ startBitrateBps: 1e6 }).targetRateBps).toBe(1.3e6);
    expect(new MediaController().targetRateBps).toBe(650_000);
  });

  it('exceeds 1 Gbit/s within a second on a loopback whose event loops are busy for 5 ms', () => {
    const { path } = run(2, { capacityBps: () => 1e11, rttMs: 0.1, turnMs: 5, packetBytes: 1452 });
    expect(path.reached(1e9)).toBeLessThan(1);
    expect(path.report(1, 2).deliveredBps).toBeGreaterThan(2e9);
  });

  it('stops before a socket buffer of 2 ms, which shows no queue, and loses little from then on', () => {
    const { path } = run(4, { capacityBps: () => 3e9, rttMs: 0.1, queueMs: 2, packetBytes: 1452 });
    const report = path.report(1.5, 4);
    expect(report.deliveredBps).toBeGreaterThan(0.85 * 3e9);
    expect(report.lossRatio).toBeLessThan(0.05);
  });

  it('cuts within half a second where it began far too high', () => {
    const { path } = run(8, { capacityBps: () => 2 * MBPS, startBitrateBps: 8e6 });
    expect(path.report(1, 2).queueP95Ms).toBeLessThan(60);
    expect(path.report(3, 8).deliveredBps).toBeGreaterThan(0.85 * 2 * MBPS);
  });
});

describe('loss', () => {
  it('of 10 % that sets in later does not lower the rate for long', () => {
    const { path } = run(30, { loss: (nowUs) => (nowUs > 10e6 ? 0.1 : 0) });
    expect(path.report(10, 15).deliveredBps).toBeGreaterThan(0.85 * 0.9 * 20 * MBPS);
    expect(path.report(15, 30).deliveredBps).toBeGreaterThan(0.9 * 0.9 * 20 * MBPS);
  });

  it('is known for random after an audit', () => {
    const { controller } = run(15, { loss: () => 0.1 });
    expect(controller.randomLossRatio).toBeGreaterThan(0.07);
    expect(controller.randomLossRatio).toBeLessThan(0.13);
  });

  it('by a buffer of 10 ms is known for congestion: little of it remains', () => {
    const { path, controller } = run(30, { queueMs: 10 });
    const report = path.report(5, 30);
    expect(report.deliveredBps).toBeGreaterThan(0.85 * 20 * MBPS);
    expect(report.lossRatio).toBeLessThan(0.04);
    expect(controller.randomLossRatio).toBeLessThan(0.04);
  });

  it("of 10 % that is random costs nothing by default; with lossTolerance 'rfc8083', what exceeds ten times TCP", () => {
    const loss = () => 0.1;
    const tcpBps = (1.22 * 8 * 1200) / (0.04 * Math.sqrt(0.1));
    expect(run(20, { loss }).path.report(10, 20).sentBps).toBeGreaterThan(0.85 * 20 * MBPS);
    const { path } = run(20, { loss, lossTolerance: 'rfc8083' });
    expect(path.report(10, 20).sentBps).toBeLessThan(1.1 * 10 * tcpBps);
    expect(path.report(10, 20).sentBps).toBeGreaterThan(tcpBps);
  });

  it('of ACKs stalls nothing', () => {
    const { path } = run(15, { ackLoss: 0.3 });
    expect(path.report(3, 15).deliveredBps).toBeGreaterThan(0.9 * 20 * MBPS);
  });

  it('of more than 30 % stops the flow', () => {
    const { path } = run(15, { loss: () => 0.45 });
    expect(path.report(10, 15).sentBps).toBeLessThan(1 * MBPS);
  });
});

describe('change', () => {
  it('from 20 to 5 Mbit/s drains the queue within a second; back to 20 is found within 3 s', () => {
    const { path } = run(30, { capacityBps: steps([0, 20], [10, 5], [20, 20]) });
    const low = path.report(11.5, 20);
    expect(low.queueP95Ms).toBeLessThan(60);
    expect(low.deliveredBps).toBeGreaterThan(0.85 * 5 * MBPS);
    expect(path.reached(0.85 * 20 * MBPS, 20)).toBeLessThan(23);
  });

  it('follows the schedule of RFC 8867 §5.1 with 100 ms round trip and media of 30 frames a second', () => {
    const { path } = run(99, {
      capacityBps: steps([0, 1], [40, 2.5], [60, 0.6], [80, 1]),
      rttMs: 100,
      media: { framesPerSecond: 30, share: 0.97, maxBps: 2.4 * MBPS },
      startBitrateBps: 300_000,
      maxRateBps: 2.6 * MBPS,
    });
    const parts = [path.report(5, 40), path.report(45, 60), path.report(63, 80), path.report(83, 99)];
    const possible = [1, 2.4, 0.6, 1];
    parts.forEach((report, i) => {
      expect(report.deliveredBps).toBeGreaterThan(0.85 * (possible[i] as number) * MBPS);
      expect(report.queueP95Ms).toBeLessThan(60);
    });
  });

  it('an outage of 20 s heals: within one probe interval it sends, within 3 s at 80 % of the rate', () => {
    const { path } = run(40, { isOut: (nowUs) => nowUs > 10e6 && nowUs < 30e6 });
    expect(path.reached(2 * MBPS, 30)).toBeLessThan(31.2);
    expect(path.reached(0.8 * 20 * MBPS, 30)).toBeLessThan(33);
    expect(path.report(34, 40).deliveredBps).toBeGreaterThan(0.85 * 20 * MBPS);
  });
});

describe('clocks', () => {
  it.each([100, -100])('that drift by %d ppm and have any origin change nothing', (clockDriftPpm) => {
    const { path } = run(90, { clockOffsetUs: 2 ** 32 - 30e6, clockDriftPpm, capacityBps: () => 5 * MBPS });
    const report = path.report(60, 90);
    expect(report.deliveredBps).toBeGreaterThan(0.9 * 5 * MBPS);
    expect(report.queueP95Ms).toBeLessThan(60);
  });
});

describe('media that needs less than the path carries', () => {
  const media = { framesPerSecond: 30, share: 0.95, maxBps: 4 * MBPS };

  it('gets what it wants, soon and without a queue', () => {
    const { path, controller } = run(20, { media, maxRateBps: 6 * MBPS });
    expect(path.report(1, 3).deliveredBps).toBeGreaterThan(0.9 * 4 * MBPS);
    expect(path.report(3, 20).queueP95Ms).toBeLessThan(10);
    expect(controller.targetRateBps).toBeGreaterThan(4 * MBPS);
    expect(controller.targetRateBps).toBeLessThanOrEqual(6 * MBPS);
  });

  it('never has its estimate lowered by the little it sends', () => {
    const quiet = (): { path: RatePath; controller: MediaController } =>
      run(20, { media: { ...media, maxBps: 0.3 * MBPS }, maxRateBps: 6 * MBPS, startBitrateBps: 3 * MBPS });
    expect(quiet().controller.targetRateBps).toBeGreaterThan(3.5 * MBPS);
  });

  it('paces a waiting frame faster than the target, within what is proven, and on average not at all', () => {
    const { controller } = run(10, { media, maxRateBps: 12 * MBPS });
    controller.onMediaDemand(50 * MBPS, 10e6);
    expect(controller.pacingRateBps).toBeGreaterThanOrEqual(1.04 * controller.targetRateBps);
    expect(controller.pacingRateBps).toBeLessThanOrEqual(
      1.25 * Math.max(controller.targetRateBps, controller.capacityBps),
    );
    for (let i = 0; i < 1000; i++) controller.onPacketSent(10e6 + i, 1200);
    expect(controller.pacingRateBps).toBe(controller.targetRateBps);
  });
});

describe('limits', () => {
  it('hold whatever the path carries: maximum wanted, and bytes in flight of about two round trips', () => {
    let inFlightMax = 0;
    const controller = new MediaController();
    controller.setMaxRate(8 * MBPS);
    const path: RatePath = new RatePath({
      controller,
      seed: 1,
      capacityBps: () => 100 * MBPS,
      rttMs: 50,
      queueMs: 300,
      onTick: () => {
        inFlightMax = Math.max(inFlightMax, path.recovery.bytesInFlight);
      },
    });
    path.run(8);
    expect(path.report(3, 8).deliveredBps).toBeGreaterThan(0.9 * 8 * MBPS);
    expect(path.report(3, 8).deliveredBps).toBeLessThan(1.02 * 8 * MBPS);
    expect(inFlightMax).toBeLessThan((3.5 * 8 * MBPS * 0.1) / 8);
  });

  it('a change of path halves the rate and finds it again', () => {
    const controller = new MediaController();
    const path = new RatePath({ controller, seed: 1, capacityBps: () => 20 * MBPS, rttMs: 40, queueMs: 300 });
    path.run(10);
    const before = controller.targetRateBps;
    controller.onPathChange(path.now);
    expect(controller.targetRateBps).toBeLessThan(0.6 * before);
    path.run(15);
    expect(path.report(12, 15).deliveredBps).toBeGreaterThan(0.85 * 20 * MBPS);
  });
});
