import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { LossModel } from '../../src/plan/loss-model.ts';
import { wilsonBound } from '../../src/plan/recent-loss.ts';

/** 400 packets a second, lost as `isLost` says; returns the time after them. */
function play(model: LossModel, from: number, packets: number, isLost: (packet: number) => boolean): number {
  let now = from;
  for (let packet = 0; packet < packets; packet++) {
    now += 2_500;
    const packetNumber = from + packet;
    if (isLost(packet)) model.onLost(packetNumber, now, now);
    else model.onAcked(now);
  }
  return now;
}

/**
 * A packet each 10 ms, one in fifty lost at random while the controller sees the queue that it keeps, 11 ms. The delay is
 * `transitAt`; returns the share of losses from the last five seconds on that counted as congestion.
 */
function playDelays(seed: number, seconds: number, transitAt: (second: number) => number): number {
  const random = new SeededRandom(seed);
  const model = new LossModel();
  const packets = seconds * 100;
  let before = 0;
  let congestionBefore = 0;
  for (let i = 0; i < packets; i++) {
    if (i === packets - 500) {
      before = model.lostCount;
      congestionBefore = model.congestionCount;
    }
    const now = i * 10 * MILLISECOND;
    if (random.unit() < 0.02) model.onLost(i, now, now, false, 11 * MILLISECOND);
    else model.onAcked(now, transitAt(i / 100) + random.unit() * 2 * MILLISECOND);
  }
  return (model.congestionCount - congestionBefore) / (model.lostCount - before);
}

describe('loss model', () => {
  test('says exactly zero on a path that loses nothing', () => {
    const model = new LossModel();
    expect(model.lossRatio).toBe(0);
    play(model, 0, 4000, () => false);
    expect(model.lossRatio).toBe(0);
    expect(model.burstMean).toBe(1);
    expect(model.correlation).toBe(0);
  });

  test.each([5, 6, 7])('knows a steady ratio to a fifth after ten seconds, seed %i', (seed) => {
    const random = new SeededRandom(seed);
    const model = new LossModel();
    play(model, 0, 4000, () => random.unit() < 0.05);
    expect(model.lossRatio).toBeGreaterThan(0.04);
    expect(model.lossRatio).toBeLessThan(0.06);
    expect(model.burstMean).toBeLessThan(1.12);
    expect(Math.abs(model.correlation)).toBeLessThan(0.06);
    expect(model.packets).toBeGreaterThan(2000);
  });

  test('believes a rise from nothing to a tenth within a quarter of a second', () => {
    const random = new SeededRandom(3);
    const model = new LossModel();
    const now = play(model, 0, 4000, () => false);
    play(model, now, 100, () => random.unit() < 0.1);
    expect(model.lossRatio).toBeGreaterThan(0.05);
  });

  test('takes seconds to believe that loss has ended, and then says exactly zero', () => {
    const random = new SeededRandom(4);
    const model = new LossModel();
    let now = play(model, 0, 4000, () => random.unit() < 0.1);
    now = play(model, now, 100, () => false);
    expect(model.lossRatio).toBeGreaterThan(0.05);
    play(model, now, 3900, () => false);
    expect(model.lossRatio).toBe(0);
  });

  test.each([0.05, 0.1])('does not remember later what it took for ended: loss of %f, seed 8', (ratio) => {
    const random = new SeededRandom(8);
    const model = new LossModel();
    let now = play(model, 0, 8000, () => random.unit() < ratio);
    now = play(model, now, 4000, () => false);
    // Sixteen seconds still hold the last of it, and it is little beside all the rest.
    for (let i = 0; i < 32; i++) {
      expect(model.lossRatio).toBeLessThan(0.0015);
      now = play(model, now, 100, () => false);
    }
  });

  test('does not take a second without a burst for the end of loss that comes in bursts', () => {
    const model = new LossModel();
    // A burst of 60 packets every second.
    const now = play(model, 0, 4000, (packet) => packet % 400 >= 340);
    for (let i = 0; i < 6; i++) {
      play(model, now + i * 250_000, 100, () => false);
      expect(model.lossRatio).toBeGreaterThan(0.02);
      expect(model.burstMean).toBeGreaterThan(10);
    }
  });

  test.each([
    [200, true],
    [2_000, false],
  ])('counts what is lost in a row for %i ms: %s; an outage is nothing to protect from', (ms, isCounted) => {
    const model = new LossModel();
    const packets = ms / 2.5;
    play(model, 0, 800, () => false);
    const end = 2_000_000 + ms * 1_000;
    // Some numbers were skipped; all is declared lost when the first packet behind it arrives.
    for (let i = 0; i < packets; i++)
      model.onLost(10_000 + i + Math.floor(i / 60), 2_000_000 + i * 2_500, end + 60_000);
    play(model, end + 60_000, 40, () => false);
    expect(model.lossRatio > 0.01).toBe(isCounted);
    expect(model.lostCount).toBe(packets);
  });

  test('counts heavy loss that some packets come through', () => {
    const model = new LossModel();
    for (let i = 0; i < 800; i++) {
      if (i % 3 > 0) model.onLost(i, i * 2_500, i * 2_500 + 60_000);
      else model.onAcked(i * 2_500 + 60_000);
    }
    expect(model.lossRatio).toBe(0.4);
  });

  test('forgets a single loss after sixteen seconds', () => {
    const model = new LossModel();
    const now = play(model, 0, 800, (packet) => packet === 400);
    expect(model.lossRatio).toBeGreaterThan(0);
    expect(model.lossRatio).toBeLessThan(0.005);
    play(model, now, 7000, () => false);
    expect(model.lossRatio).toBe(0);
  });

  test('measures the length of bursts, and how they depend', () => {
    const model = new LossModel();
    play(model, 0, 4000, (packet) => packet % 100 < 4);
    expect(model.burstMean).toBeGreaterThan(3);
    expect(model.burstMean).toBeLessThanOrEqual(4);
    expect(model.correlation).toBeGreaterThan(0.6);
  });

  test('joins a burst that two acknowledgements report', () => {
    const apart = new LossModel();
    const joined = new LossModel();
    for (const [model, next] of [
      [apart, 30],
      [joined, 14],
    ] as const) {
      for (let i = 0; i < 100; i++) model.onAcked(0);
      for (let n = 10; n < 14; n++) model.onLost(n, 0, 0);
      model.onAcked(0);
      for (let n = next; n < next + 4; n++) model.onLost(n, 30_000, 30_000);
    }
    expect(joined.burstMean).toBeGreaterThan(apart.burstMean);
  });

  test('does not count what a full queue drops', () => {
    const model = new LossModel();
    for (let i = 0; i < 200; i++) model.onAcked(i * 2_500, 30_000);
    for (let i = 0; i < 20; i++) model.onAcked(500_000 + i * 2_500, 30_000 + i * 5_000);
    for (let i = 0; i < 20; i++) model.onLost(1000 + i, 500_000, 560_000);
    expect(model.isQueueing).toBe(true);
    expect(model.lossRatio).toBe(0);
    expect([model.lostCount, model.congestionCount]).toEqual([20, 20]);
  });

  test('counts what is lost on a path that has become longer: no queue stands there', () => {
    const model = new LossModel();
    for (let i = 0; i < 200; i++) model.onAcked(i * 2_500, 30_000);
    for (let i = 0; i < 20; i++) model.onAcked(500_000 + i * 2_500, 120_000);
    for (let i = 0; i < 20; i++) model.onLost(1000 + i, 500_000, 560_000, false, 600);
    expect(model.isQueueing).toBe(true);
    expect(model.lossRatio).toBeGreaterThan(0.05);
    expect(model.congestionCount).toBe(0);
  });

  test.each([-100, -20, 20, 100])(
    'counts loss in a call of half an hour whose clocks drift by %i ppm, seed 12',
    (ppm) => {
      const share = playDelays(12, 1800, (second) => 40_000 + (second > 1 ? 11_000 : 0) + second * ppm);
      expect(share).toBe(0);
    },
  );

  test('counts loss again a minute after a path has become longer unnoticed, seed 13', () => {
    const transitAt = (second: number): number => (second < 20 ? 20_000 : 60_000);
    expect(playDelays(13, 60, transitAt)).toBe(1);
    expect(playDelays(13, 100, transitAt)).toBe(0);
  });

  test('counts loss on another path at once', () => {
    const model = new LossModel();
    for (let i = 0; i < 100; i++) model.onAcked(i * 10_000, 20_000);
    model.resetDelay();
    for (let i = 100; i < 200; i++) model.onAcked(i * 10_000, 60_000);
    model.onLost(200, 2_000_000, 2_000_000, false, 11_000);
    expect([model.lostCount, model.congestionCount]).toEqual([1, 0]);
  });

  test('does not count what overflows a queue that another flow keeps for five minutes and never empties', () => {
    const model = new LossModel();
    // Sawtooth of 5 s between 40 and 90 ms of queue; the top is lost.
    for (let i = 0; i < 30_000; i++) {
      const now = i * 10_000;
      const transitUs = 20_000 + 40_000 + (i % 500) * 100;
      if (i % 500 >= 495) model.onLost(i, now, now, false, 49_000);
      else model.onAcked(now, transitUs);
    }
    expect(model.congestionCount).toBe(model.lostCount);
    expect(model.lossRatio).toBe(0);
  });

  test('does not count what the controller calls congestion', () => {
    const model = new LossModel();
    for (let i = 0; i < 100; i++) model.onAcked(i * 2_500);
    model.onLost(1000, 200_000, 250_000, true);
    expect(model.lossRatio).toBe(0);
    expect(model.congestionCount).toBe(1);
  });

  test('takes a spurious loss back', () => {
    const model = new LossModel();
    play(model, 0, 100, () => false);
    model.onLost(1000, 250_000, 300_000);
    expect(model.lossRatio).toBeGreaterThan(0);
    model.onSpuriousLoss(310_000);
    expect(model.lossRatio).toBe(0);
    expect(model.lostCount).toBe(0);
  });

  test('does not call one loss among the first packets a catastrophe', () => {
    const model = new LossModel();
    model.onAcked(0);
    model.onLost(1, 0, 1000);
    expect(model.lossRatio).toBeLessThanOrEqual(0.6);
  });

  test('has Wilson bounds that enclose the ratio and shrink with the sample', () => {
    expect(wilsonBound(0.1, 10, 1)).toBeGreaterThan(wilsonBound(0.1, 1000, 1));
    expect(wilsonBound(0.1, 10, -1)).toBeLessThan(wilsonBound(0.1, 1000, -1));
    expect(wilsonBound(0.1, 1e9, 3)).toBeCloseTo(0.1, 4);
    expect(wilsonBound(0, 100, -3)).toBe(0);
  });
});
