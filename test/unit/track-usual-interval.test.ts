/** What counts as the usual distance of the media frames of a track: latency 100 ms. */
import { describe, expect, test } from 'vitest';
import { MILLISECOND, SECOND } from '../../src/base/protocol.ts';
import { UsualInterval } from '../../src/track/usual-interval.ts';
import { fixedPolicy } from '../helpers/fixed-policy.ts';
import { PLAIN, SenderProbe } from '../helpers/track-sender.ts';

const MS = MILLISECOND;

function usualMs(...intervalsMs: readonly number[]): number {
  const interval = new UsualInterval();
  for (const ms of intervalsMs) interval.note(ms * MS, 100 * MS);
  return interval.us / MS;
}

/** `count` times `ms`. */
function times(count: number, ms: number): number[] {
  return new Array<number>(count).fill(ms);
}

describe('the usual interval', () => {
  test('is not known at first, then that of the first two frames', () => {
    expect(usualMs()).toBe(0);
    expect(usualMs(33)).toBe(33);
  });

  test('stays what it was over a pause, be it two seconds after each word or an hour once', () => {
    const spurts = Array.from({ length: 50 }, () => [...times(5, 20), 2_000]).flat();
    expect(usualMs(20, ...spurts)).toBe(20);
    expect(usualMs(20, (3_600 * SECOND) / MS)).toBe(20);
  });

  test('forgets a pause that came first at the next frame', () => {
    expect(usualMs(60_000, 20)).toBe(20);
  });

  test('takes what is shorter than the latency as jitter, not as a pause: the mean follows', () => {
    expect(usualMs(10, 90)).toBe(20);
    expect(usualMs(...Array.from({ length: 100 }, () => [1, 1, 1, 97]).flat())).toBeGreaterThan(15);
  });

  test.each([
    [20, 40],
    [20, 80],
    [40, 20],
    [20, 1_000],
    [1_000, 20],
    [500, 40],
  ])('follows an encoder from a frame each %i ms to one each %i ms within twenty frames', (from, to) => {
    const usual = usualMs(...times(50, from), ...times(20, to));
    expect(Math.abs(usual - to)).toBeLessThan(0.25 * to);
  });

  test('is never nothing, though frames leave at the same instant', () => {
    expect(usualMs(1_000, 0, 1_000, 0)).toBeGreaterThan(0);
  });
});

describe('a sender', () => {
  test('plans the first media frames after an hour of silence for the interval that it knew before', () => {
    const planned: number[] = [];
    const fixed = fixedPolicy(0);
    const probe = new SenderProbe({
      ...fixed,
      plan(input, plan) {
        planned.push(input.frameIntervalUs / MS);
        fixed.plan(input, plan);
      },
    });
    let now = 0;
    const send = (count: number): void => {
      for (let i = 0; i < count; i++, now += 20 * MS) {
        probe.sender.send(new Uint8Array(160), PLAIN, now);
        probe.ack(probe.write(now), now);
      }
    };
    send(10);
    now += 3_600 * SECOND;
    send(10);
    expect(planned).toEqual([0, ...times(19, 20)]);
  });
});
