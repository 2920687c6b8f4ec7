/** The receiver's picture of the sender's clock: what a path that becomes longer does to deadlines. */
import { describe, expect, test } from 'vitest';
import { ArrivalClock } from '../../src/track/arrival-clock.ts';

const MS = 1_000;
const SECOND_MS = 1_000;

/** A symbol each 5 ms, delayed by `delayAt`; returns the offset known at `untilMs`, ms. */
function offsetAfter(untilMs: number, delayAt: (ms: number) => number): number {
  const clock = new ArrivalClock();
  for (let ms = 0; ms < untilMs; ms += 5) clock.onArrival(ms % 65_536, (ms + delayAt(ms)) * MS);
  return clock.offsetUs / MS;
}

describe('the least one-way offset', () => {
  test('follows a path that becomes longer within 1.3 s', () => {
    const step = (ms: number): number => (ms < 5 * SECOND_MS ? 10 : 100);
    expect(offsetAfter(5 * SECOND_MS, step)).toBe(10);
    expect(offsetAfter(6.3 * SECOND_MS, step)).toBe(100);
  });

  test('follows it beside jitter', () => {
    const jitter = (ms: number): number => (ms < 5 * SECOND_MS ? 10 : 100) + ((ms * 7) % 13);
    expect(offsetAfter(6.3 * SECOND_MS, jitter)).toBeCloseTo(100, -1);
  });

  test('follows a path that becomes shorter at once', () => {
    expect(offsetAfter(5 * SECOND_MS + 10, (ms) => (ms < 5 * SECOND_MS ? 100 : 10))).toBe(10);
  });

  test('is not raised by a queue that fills and drains', () => {
    const queue = (ms: number): number => 10 + Math.abs((((ms - 2_000) / 10) % 200) - 100);
    expect(offsetAfter(9 * SECOND_MS, (ms) => (ms < 2 * SECOND_MS ? 10 : queue(ms)))).toBe(10);
  });
});
