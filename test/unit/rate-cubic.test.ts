import { expect, it } from 'vitest';
import { CubicController } from '../../src/rate/cubic.ts';
import { RatePath } from '../helpers/rate-path.ts';

function run(loss: number, queueMs: number): RatePath {
  const path = new RatePath({
    controller: new CubicController(),
    seed: 1,
    capacityBps: () => 20e6,
    rttMs: 100,
    queueMs,
    loss: () => loss,
  });
  path.run(40);
  return path;
}

it('fills a clean path, and its queue', () => {
  const report = run(0, 100).report(10, 40);
  expect(report.deliveredBps).toBeGreaterThan(0.85 * 20e6);
  expect(report.queueP95Ms).toBeGreaterThan(60);
});

// docs/rate-control.md §3.4, table for 1448-byte segments: 1.3 to 1.4 Mbit/s at 1 %, 0.44 to 0.63 at 5 %.
it.each([
  [0.01, 1.3e6],
  [0.05, 0.5e6],
])('collapses under random loss of %d as TCP does, within a factor of 2', (loss, expectedBps) => {
  const { deliveredBps } = run(loss, 300).report(10, 40);
  expect(deliveredBps).toBeGreaterThan(expectedBps / 2);
  expect(deliveredBps).toBeLessThan(expectedBps * 2);
});

it('takes a cut back when its losses were late packets', () => {
  const controller = new CubicController();
  const before = controller.congestionWindowBytes;
  controller.onPacketLost(1, 1200, 10, 20);
  controller.onPacketLost(2, 1200, 10, 20);
  expect(controller.congestionWindowBytes).toBeCloseTo(0.7 * before);
  controller.onSpuriousLoss();
  expect(controller.congestionWindowBytes).toBeCloseTo(0.7 * before);
  controller.onSpuriousLoss();
  expect(controller.congestionWindowBytes).toBe(before);
});
