/** What is told apart: a queue, which empties as fast as the path carries, and delays that end at once. */
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { DelayFilter } from '../../src/rate/delay.ts';
import { JitterMeter } from '../../src/rate/jitter.ts';

const MS = 1000;
const SECOND = 1_000_000;
const CAPACITY_BPS = 1e6;
const SERVICE_US = (1200 * 8e6) / CAPACITY_BPS;

/** Packets of 1200 bytes, one each `gapUs` (by time), arriving when `arriveAt` says, told one by one. */
function feed(
  seconds: number,
  gapUs: (sentAtUs: number) => number,
  arriveAt: (sentAtUs: number) => number,
  toldEveryUs = 0,
): { meter: JitterMeter; delay: DelayFilter; queueMaxUs: number } {
  const meter = new JitterMeter();
  const delay = new DelayFilter();
  let queueMaxUs = 0;
  let ackedAtUs = 0;
  for (let sentAtUs = 0; sentAtUs < seconds * SECOND; sentAtUs += gapUs(sentAtUs)) {
    const receivedAtUs = arriveAt(sentAtUs);
    ackedAtUs = Math.max(receivedAtUs, ackedAtUs + toldEveryUs);
    const packet = {
      packetNumber: 0,
      sizeBytes: 1200,
      sentAtUs,
      receivedAtUs,
      ackedAtUs,
      isAppLimited: false,
    };
    meter.onPacket(packet, CAPACITY_BPS);
    delay.onPacket(sentAtUs, receivedAtUs, ackedAtUs);
    delay.update(ackedAtUs, meter);
    if (sentAtUs > SECOND) queueMaxUs = Math.max(queueMaxUs, delay.queueUs);
  }
  return { meter, delay, queueMaxUs };
}

describe('JitterMeter', () => {
  it('sees none in a queue that fills and empties, whatever is sent', () => {
    let freeAt = 0;
    const fifo = (sentAtUs: number): number => {
      freeAt = Math.max(freeAt, sentAtUs) + SERVICE_US;
      return freeAt;
    };
    // Half a second at 1.5 times the capacity, half a second at a quarter of it, with a pause in between.
    const gapUs = (t: number): number => {
      const at = t % SECOND;
      return at < SECOND / 2 ? SERVICE_US / 1.5 : at < 0.9 * SECOND ? 4 * SERVICE_US : 100 * MS;
    };
    const { meter } = feed(10, gapUs, fifo);
    expect(meter.heldUs).toBe(0);
    expect(meter.overtakenUs).toBe(0);
  });

  it('sees how long a busy host holds packets back, which are then no queue', () => {
    // For 80 ms in every 400 nothing is read: then everything at once.
    const stalls = (sentAtUs: number): number => {
      const at = sentAtUs % (400 * MS);
      return 20 * MS + (at < 80 * MS ? sentAtUs - at + 80 * MS : sentAtUs);
    };
    const toldEveryUs = 10 * MS;
    const { meter, queueMaxUs } = feed(5, () => 1.2 * SERVICE_US, stalls, toldEveryUs);
    expect(meter.heldUs).toBeGreaterThan(40 * MS);
    expect(meter.heldUs).toBeLessThan(90 * MS);
    expect(queueMaxUs).toBeLessThan(10 * MS);
    const calm = new DelayFilter();
    let unaided = 0;
    let told = 0;
    for (let t = 0; t < 5 * SECOND; t += 1.2 * SERVICE_US) {
      told = Math.max(stalls(t), told + toldEveryUs);
      calm.onPacket(t, stalls(t), told);
      calm.update(told);
      unaided = Math.max(unaided, calm.queueUs);
    }
    expect(unaided).toBeGreaterThan(20 * MS);
  });

  it('sees how far packets overtake each other, and waits for enough of them (seed 3)', () => {
    const random = new SeededRandom(3);
    const { meter, queueMaxUs } = feed(
      10,
      () => SERVICE_US,
      (t) => t + 50 * MS + 50 * MS * random.unit(),
    );
    expect(meter.heldUs).toBeLessThan(15 * MS);
    expect(meter.overtakenUs).toBeGreaterThan(10 * MS);
    expect(queueMaxUs).toBeLessThan(20 * MS);
  });

  it('forgets by half in 2 s', () => {
    const { meter } = feed(
      1,
      () => SERVICE_US,
      (t) => Math.max(t, 500 * MS),
    );
    const before = meter.heldUs;
    expect(before).toBeGreaterThan(100 * MS);
    for (let i = 0; i < 200; i++) meter.fade(0.01);
    expect(meter.heldUs / before).toBeCloseTo(0.5, 2);
  });
});
