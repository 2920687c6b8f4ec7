/** What the policy makes of what a track says of a media frame: delivery, order, a short budget. */
import { describe, expect, test } from 'vitest';
import { Redundancy } from '../../src/connection/redundancy.ts';
import { CubicController } from '../../src/rate/cubic.ts';
import { RttEstimator } from '../../src/recovery/rtt.ts';
import { emptyPlan } from '../../src/track/redundancy.ts';
import type { FramePlan, PlanInput } from '../../src/track/types.ts';

const MS = 1_000;
const FRAME: PlanInput = {
  symbols: 12,
  meanSymbols: 12,
  kind: 'video',
  isKeyFrame: false,
  isDiscardable: false,
  mode: 'auto',
  target: 1e-3,
  latencyUs: 120 * MS,
  timeLeftUs: 120 * MS,
  waitedUs: 0,
  frameIntervalUs: 33_333,
  delivery: 'asap',
  order: 'send',
};

/** The plan for a frame on a path of 60 ms that loses every tenth packet. */
function planFor(changes: Partial<PlanInput>, windowUs = 0): FramePlan {
  const rtt = new RttEstimator();
  for (let i = 0; i < 50; i++) rtt.onSample(60 * MS, 0, 0);
  const redundancy = new Redundancy(new CubicController(), rtt);
  redundancy.watch({ windowUs, lossDelayUs: (_latest, smoothedUs) => smoothedUs + windowUs });
  for (let i = 0; i < 2000; i++) {
    if (i % 10 === 0) redundancy.model.onLost(i, i * MS, i * MS);
    else redundancy.model.onAcked(i * MS);
  }
  redundancy.onPacketSent(2000 * MS, 1200, 1200, false, 2000);
  const plan = emptyPlan();
  redundancy.plan({ ...FRAME, ...changes }, plan);
  return plan;
}

describe('spares behind a first flight', () => {
  test('are more where media frames are handed out at once than where they wait for their time', () => {
    expect(planFor({}).firstSpares).toBeGreaterThan(planFor({ delivery: 'timed' }).firstSpares + 0.5);
  });

  test('are fewer where a resend holds up no other media frame', () => {
    const { firstSpares } = planFor({ order: 'none' });
    expect(firstSpares).toBeLessThan(planFor({}).firstSpares);
    expect(firstSpares).toBeGreaterThanOrEqual(planFor({ delivery: 'timed' }).firstSpares);
  });

  test('are only what the deadline needs while the budget is short', () => {
    const short = { waitedUs: 40 * MS };
    expect(planFor(short).firstSpares).toBe(planFor({ ...short, delivery: 'timed' }).firstSpares);
  });
});

describe('rounds of resends', () => {
  test('fit once into 120 ms on a round trip of 60 ms', () => {
    expect(planFor({}).rounds).toBe(1);
  });

  test('do not fit where loss recovery waits 60 ms for late packets: repair goes ahead instead', () => {
    const { rounds, streamRatio } = planFor({}, 60 * MS);
    expect(rounds).toBe(0);
    expect(streamRatio).toBeGreaterThan(0.1);
  });
});
