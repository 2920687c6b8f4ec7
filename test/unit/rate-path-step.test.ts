/** What is taken for a longer path, and what for a queue. */
import { describe, expect, it } from 'vitest';
import { PathStep } from '../../src/rate/path-step.ts';

const MS = 1000;
const OFFSET_US = 7e9;

/** Packets of 1200 bytes, one each `gapUs`, delayed by `delayAt`; a step is at 1 s. Returns what was found, us. */
function found(
  delayAt: (sentAtUs: number) => number,
  gapUs: number = 4 * MS,
  untilUs: number = 2000 * MS,
): number[] {
  const subject = new PathStep();
  const steps: number[] = [];
  for (let i = 0; i * gapUs < untilUs; i++) {
    const sentAtUs = i * gapUs;
    const step = subject.onPacket({
      packetNumber: i,
      sizeBytes: 1200,
      sentAtUs,
      receivedAtUs: sentAtUs + delayAt(sentAtUs) + OFFSET_US,
      ackedAtUs: sentAtUs + 2 * delayAt(sentAtUs),
      isAppLimited: false,
    });
    if (step > 0) steps.push(step);
  }
  expect(subject.isOpen).toBe(false);
  return steps;
}

/** Milliseconds since the step. */
const since = (sentAtUs: number): number => sentAtUs / MS - 1000;

describe('PathStep', () => {
  it('finds a path that is longer from one packet to the next, by how much', () => {
    expect(found((t) => (since(t) < 0 ? 10 * MS : 100 * MS))).toEqual([90 * MS]);
    expect(found((t) => (since(t) < 0 ? 10 * MS : 300 * MS), 20 * MS)).toEqual([290 * MS]);
  });

  it('finds it beside jitter, and bursts that queue behind one another', () => {
    const jitterUs = (t: number): number => ((t / MS) % 5) * 800;
    expect(found((t) => (since(t) < 0 ? 10 : 100) * MS + jitterUs(t))).toEqual([90 * MS]);
    const burstUs = (t: number): number => Math.max(0, 30 - ((t / MS) % 100)) * 0.5 * MS;
    const [step = 0, ...more] = found((t) => (since(t) < 0 ? 10 : 100) * MS + burstUs(t));
    expect(step / MS).toBeCloseTo(90, -1);
    expect(more).toEqual([]);
  });

  it('says nothing of a path that becomes shorter, or a step that is small', () => {
    expect(found((t) => (since(t) < 0 ? 100 * MS : 10 * MS))).toEqual([]);
    expect(found((t) => (since(t) < 0 ? 10 * MS : 25 * MS))).toEqual([]);
  });

  it('takes a queue for one: it grows, packet by packet, however fast', () => {
    for (const slope of [0.1, 1, 4, 10]) {
      expect(found((t) => 10 * MS + Math.max(0, Math.min(300, slope * since(t))) * MS)).toEqual([]);
    }
  });

  it('takes a burst of others that drains for a queue', () => {
    for (const slope of [0.1, 0.3, 1]) {
      expect(found((t) => 10 * MS + (since(t) < 0 ? 0 : Math.max(0, 80 - slope * since(t))) * MS)).toEqual(
        [],
      );
    }
  });

  it('takes a radio that stalls for a while, and then delivers all at once, for no longer path', () => {
    expect(found((t) => 10 * MS + (since(t) < 0 ? 0 : Math.max(0, 200 - since(t))) * MS)).toEqual([]);
  });

  it('finds it when the ACK that tells of the last media frame on the short way is lost', () => {
    const delayUs = (t: number): number => (since(t) < 0 ? 10 * MS : 100 * MS);
    expect(found((t) => (since(t) >= -70 && since(t) < 0 ? Number.NaN : delayUs(t)))).toEqual([90 * MS]);
  });

  it('asks nothing after a silence: nobody knows when the delay rose', () => {
    expect(found((t) => (since(t) < 0 ? 10 * MS : 100 * MS), 110 * MS)).toEqual([]);
  });
});
