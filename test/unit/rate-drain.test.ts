/** What a cut takes for the capacity: DrainPhase. */
import { describe, expect, it } from 'vitest';
import { DrainPhase } from '../../src/rate/drain-phase.ts';
import { Estimate } from '../../src/rate/estimate.ts';
import { Signals } from '../../src/rate/signals.ts';

const PACKET_BYTES = 1250;
const RTT = {
  hasSample: true,
  latestUs: 60_000,
  smoothedUs: 60_000,
  varianceUs: 0,
  minUs: 60_000,
  recentMinUs: 60_000,
};

/**
 * Capacity after a cut at 1 s, packets having arrived every `earlyUs`, and every `lateUs` in the last 100 ms. Those had left
 * every `sentUs`.
 */
function cutTo(earlyUs: number, lateUs: number, sentUs: number = Math.min(earlyUs, lateUs)): number {
  const signals = new Signals();
  let now = 0;
  let sentAtUs = -50_000;
  while (now <= 1_000_000) {
    const isEarly = now < 900_000;
    now += isEarly ? earlyUs : lateUs;
    sentAtUs += isEarly ? earlyUs : sentUs;
    signals.onAcked({
      packetNumber: 0,
      sizeBytes: PACKET_BYTES,
      sentAtUs,
      receivedAtUs: now,
      ackedAtUs: now,
      isAppLimited: false,
    });
    signals.onAckEnd(now, RTT);
  }
  signals.step(1e6, 1e6);
  const estimate = new Estimate({ startBitrateBps: 1e6 });
  expect(new DrainPhase().begin(signals, estimate, 0)).toBe(true);
  return estimate.capacityBps;
}

describe('a cut', () => {
  it('goes to what arrives over 300 ms while a packet more or less is all that has changed', () => {
    // 1 Mbit/s, and 0.83 Mbit/s in the last 100 ms.
    const bps = cutTo(10_000, 12_000);
    expect(bps).toBeGreaterThan(0.9e6);
    expect(bps).toBeLessThan(1e6);
  });

  it('goes to what arrives now where the path carries less than before', () => {
    expect(cutTo(10_000, 25_000)).toBeLessThan(0.55e6);
  });

  it('does not go to what arrives now where no more was sent', () => {
    // 1 Mbit/s, and 0.4 in the last 100 ms: the average of 300 ms, in which a lost packet or two are no capacity.
    const bps = cutTo(10_000, 25_000, 25_000);
    expect(bps).toBeGreaterThan(0.75e6);
    expect(bps).toBeLessThan(1e6);
  });

  it('goes to what arrives now where the flow has grown', () => {
    expect(cutTo(20_000, 8_000)).toBeGreaterThan(0.9e6);
  });
});
