/** How the demo's page goes easy on a machine that cannot keep up, and tries again. */
import { describe, expect, it } from 'vitest';
import { MachinePace } from '../../demo/page/machine-pace.ts';

const REPORT_MS = 250;

/** Reports for `seconds`, from `startMs`. Returns when it ended, ms. */
function report(
  pace: MachinePace,
  startMs: number,
  seconds: number,
  keepsUp: (nowMs: number) => boolean,
): number {
  let nowMs = startMs;
  for (; nowMs < startMs + seconds * 1_000; nowMs += REPORT_MS) pace.report(nowMs, keepsUp(nowMs));
  return nowMs;
}

describe('the pace of a machine', () => {
  it('stays what was asked for while single reports are bad', () => {
    const pace = new MachinePace(30);
    report(pace, 0, 60, (nowMs) => nowMs % 2_000 !== 0);
    expect(pace.picturesPerSecond).toBe(30);
  });

  it('falls within a second when the machine cannot keep up, step by step down to a third', () => {
    const pace = new MachinePace(30);
    report(pace, 0, 1, () => false);
    expect(pace.picturesPerSecond).toBe(20);
    report(pace, 1_000, 5, () => false);
    expect(pace.picturesPerSecond).toBe(10);
  });

  it('never asks for less than ten pictures a second', () => {
    const pace = new MachinePace(15);
    report(pace, 0, 10, () => false);
    expect(pace.picturesPerSecond).toBe(10);
  });

  it('comes back when the machine has been calm', () => {
    const pace = new MachinePace(30);
    const nowMs = report(pace, 0, 1, () => false);
    report(pace, nowMs, 16, () => true);
    expect(pace.picturesPerSecond).toBe(30);
  });

  it('tries less and less often what has been too much', () => {
    const pace = new MachinePace(30);
    let tries = 0;
    let before = pace.picturesPerSecond;
    // A machine that can do 20 pictures a second and no more, for ten minutes.
    report(pace, 0, 600, () => {
      const { picturesPerSecond } = pace;
      if (picturesPerSecond > before) tries++;
      before = picturesPerSecond;
      return picturesPerSecond <= 20;
    });
    expect(tries).toBeGreaterThanOrEqual(3);
    expect(tries).toBeLessThanOrEqual(6);
  });
});
