/** What the start of rate control believes of a path that media alone have tried: whole connections in virtual time. */
import { describe, expect, test } from 'vitest';
import { runCell } from '../../src/lab/cell.ts';
import { AUDIO } from '../../src/lab/workload.ts';
import { symmetric } from '../../src/sim/network.ts';

const LINK_BPS = 20e6;
const SEED = 3;
const SAMPLE_MS = 10;

interface Belief {
  /** The most that was believed at any time, bits per second. */
  readonly capacityBps: number;
  /** The most that senders were allowed while nothing large was on its way, bits per second. */
  readonly restTargetBps: number;
  readonly late: number;
}

/** Video with key frames of six times the size, from the start on, for 6 s. */
function beliefOf(rttMs: number, lossRatio: number, videoBps: number, startBitrateBps: number): Belief {
  let capacityBps = 0;
  let restTargetBps = 0;
  const link = {
    delayMs: rttMs / 2,
    rateBps: LINK_BPS,
    queue: { ms: 100 },
    ...(lossRatio === 0 ? {} : { loss: { kind: 'iid', ratio: lossRatio } as const }),
  };
  const { result } = runCell(
    {
      transport: 'millrace',
      network: symmetric(link),
      workload: { video: { bitrateBps: videoBps }, audio: AUDIO },
      latencyMs: 120,
      startupMs: 3_000,
      durationMs: 6_000,
      startBitrateBps,
      seed: SEED,
    },
    {
      sampleEveryMs: SAMPLE_MS,
      onSample: (cell, nowMs) => {
        const { controller } = (cell.millrace as NonNullable<typeof cell.millrace>).client.connection.state;
        capacityBps = Math.max(capacityBps, controller.capacityBps);
        // Key frames leave at 0, 2 and 4 s.
        if (nowMs % 2_000 > 1_000) restTargetBps = Math.max(restTargetBps, controller.targetRateBps);
      },
    },
  );
  const { startup } = result.sources[0] as (typeof result.sources)[0];
  return { capacityBps, restTargetBps, late: startup.frames - startup.onTime };
}

describe(`the start under media with key frames, over 20 Mbit/s (seed ${SEED})`, () => {
  test.each([
    [20, 0, 4e6, 4e6],
    [20, 0.05, 4e6, 4e6],
    [60, 0.05, 9e6, 4e6],
    [150, 0.05, 4e6, 4e6],
  ])('believes what has been proven: RTT %d ms, loss %d, video of %d from %d bit/s', (...cell) => {
    const { capacityBps, restTargetBps, late } = beliefOf(...cell);
    expect(capacityBps).toBeLessThan(1.1 * LINK_BPS);
    expect(restTargetBps).toBeLessThan(1.45 * LINK_BPS);
    expect(late).toBeLessThanOrEqual(8);
  });
});
