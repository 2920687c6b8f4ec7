import { describe, expect, test } from 'vitest';
import { NEVER, SECOND } from '../../src/base/protocol.ts';
import { WindowedMin } from '../../src/base/windowed-min.ts';

/** A sample a second, from second `from` to second `to`. */
function play(min: WindowedMin, from: number, to: number, sampleAt: (second: number) => number): void {
  for (let second = from; second < to; second++) min.add(sampleAt(second), second * SECOND);
}

describe('the least sample lately', () => {
  test('is never before the first one', () => {
    expect(new WindowedMin(10 * SECOND, 2).value).toBe(NEVER);
  });

  test.each([2, 7])('is kept for all but one of %i buckets, and gone after all of them', (count) => {
    const min = new WindowedMin(10 * SECOND, count);
    min.add(1, 0);
    play(min, 1, 10 * (count - 1), () => 5);
    expect(min.value).toBe(1);
    play(min, 10 * (count - 1), 10 * count + 1, () => 5);
    expect(min.value).toBe(5);
  });

  test('follows samples that only rise, by no more than the window', () => {
    const min = new WindowedMin(10 * SECOND, 7);
    play(min, 0, 1000, (second) => second);
    expect(min.value).toBeGreaterThanOrEqual(999 - 70);
    expect(min.value).toBeLessThanOrEqual(999 - 60);
  });

  test('outlives a silence until something newer is known, and then is as old as it is', () => {
    const min = new WindowedMin(10 * SECOND, 7);
    min.add(1, 0);
    expect(min.value).toBe(1);
    min.add(5, 55 * SECOND);
    expect(min.value).toBe(1);
    min.add(6, 1000 * SECOND);
    expect(min.value).toBe(6);
  });

  test('begins anew when cleared', () => {
    const min = new WindowedMin(10 * SECOND, 2);
    min.add(-7, 0);
    min.clear();
    expect(min.value).toBe(NEVER);
    min.add(3, SECOND);
    expect(min.value).toBe(3);
  });
});
