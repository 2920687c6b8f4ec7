import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { LossModel, wilsonUpperBound } from '../../src/plan/loss-model.ts';

/** 400 packets a second, lost as `isLost` says; returns the time after them. */
function play(model: LossModel, from: number, packets: number, isLost: (packet: number) => boolean): number {
  let now = from;
  for (let packet = 0; packet < packets; packet++) {
    now += 2_500;
    const packetNumber = from + packet;
    if (isLost(packet)) model.onLost(packetNumber, now);
    else model.onAcked(now);
  }
  return now;
}

describe('loss model', () => {
  test('says exactly zero on a path that loses nothing', () => {
    const model = new LossModel();
    expect(model.lossRatio).toBe(0);
    play(model, 0, 4000, () => false);
    expect(model.lossRatio).toBe(0);
    expect(model.burstMean).toBe(1);
  });

  test('bounds random loss from above, not by much, seed 5', () => {
    const random = new SeededRandom(5);
    const model = new LossModel();
    play(model, 0, 8000, () => random.unit() < 0.05);
    expect(model.lossRatio).toBeGreaterThan(0.045);
    expect(model.lossRatio).toBeLessThan(0.085);
    expect(model.burstMean).toBeLessThan(1.25);
  });

  test('measures the length of bursts', () => {
    const model = new LossModel();
    play(model, 0, 4000, (packet) => packet % 100 < 4);
    expect(model.burstMean).toBeGreaterThan(3);
    expect(model.burstMean).toBeLessThanOrEqual(4);
  });

  test('joins a burst that two acknowledgements report', () => {
    const model = new LossModel();
    model.onLost(10, 0);
    model.onLost(11, 0);
    model.onAcked(0);
    model.onLost(12, 30_000);
    expect(model.burstMean).toBe(2);
  });

  test('remembers a bad second at half for ten seconds, then forgets it wholly', () => {
    const model = new LossModel();
    let now = play(model, 0, 400, (packet) => packet % 5 === 0);
    now = play(model, now, 2400, () => false);
    expect(model.lossRatio).toBeGreaterThan(0.09);
    play(model, now, 6000, () => false);
    expect(model.lossRatio).toBe(0);
    expect(model.averageRatio).toBe(0);
  });

  test('takes a spurious loss back', () => {
    const model = new LossModel();
    play(model, 0, 100, () => false);
    model.onLost(1000, 300_000);
    expect(model.lossRatio).toBeGreaterThan(0);
    model.onSpuriousLoss(310_000);
    expect(model.lossRatio).toBe(0);
    expect(model.lostCount).toBe(0);
  });

  test('does not call one loss among the first packets a catastrophe', () => {
    const model = new LossModel();
    model.onAcked(0);
    model.onLost(1, 1000);
    expect(model.lossRatio).toBeLessThanOrEqual(0.6);
  });

  test('has Wilson bounds that shrink with the sample', () => {
    expect(wilsonUpperBound(0.1, 10)).toBeGreaterThan(wilsonUpperBound(0.1, 1000));
    expect(wilsonUpperBound(0.1, 1e9)).toBeCloseTo(0.1, 4);
  });
});
