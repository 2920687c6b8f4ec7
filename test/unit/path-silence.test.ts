import { describe, expect, test } from 'vitest';
import { MILLISECOND, NEVER, SECOND } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { Silence } from '../../src/path/silence.ts';

/** Video of 30 frames a second in packets 1 ms apart, until `untilMs`. Returns the last arrival. */
function video(silence: Silence, packets: number, untilMs: number, fromMs = 0): number {
  let lastUs = 0;
  for (let frameMs = fromMs; frameMs < untilMs; frameMs += 33.333) {
    for (let i = 0; i < packets; i++) {
      lastUs = Math.round((frameMs + i) * MILLISECOND);
      expect(silence.takeDue(lastUs - 1) && frameMs > fromMs + 500).toBe(false);
      silence.onArrival(lastUs);
    }
  }
  return lastUs;
}

describe('silence of a peer who sends', () => {
  test.each([1, 5, 12, 25])(
    'video of %i packets a frame is asked about between one frame and two after it ends',
    (packets) => {
      const silence = new Silence();
      const lastUs = video(silence, packets, 3000);
      const afterMs = (silence.nextDeadline() - lastUs) / MILLISECOND;
      expect(afterMs).toBeGreaterThanOrEqual(20);
      expect(afterMs).toBeLessThanOrEqual(67);
      expect(afterMs).toBeGreaterThan(33.4 - packets + 1);
    },
  );

  test('is asked about once, until something has come again', () => {
    const silence = new Silence();
    const lastUs = video(silence, 5, 1000);
    expect(silence.takeDue(lastUs + 10 * SECOND)).toBe(true);
    expect(silence.takeDue(lastUs + 20 * SECOND)).toBe(false);
    expect(silence.nextDeadline()).toBe(NEVER);
    silence.onArrival(lastUs + 21 * SECOND);
    expect(silence.nextDeadline()).not.toBe(NEVER);
  });

  test('nothing is asked of a peer who has never said anything', () => {
    expect(new Silence().nextDeadline()).toBe(NEVER);
  });

  test('one long pause changes little of what is usual, and is forgotten within seconds', () => {
    const silence = new Silence();
    const lastUs = video(silence, 5, 3000);
    const usualUs = silence.usualUs;
    silence.onArrival(lastUs + 30 * SECOND);
    expect(silence.usualUs).toBeLessThan(2 * usualUs);
    const fromMs = lastUs / MILLISECOND + 30_033;
    video(silence, 5, fromMs + 4000, fromMs);
    expect(silence.usualUs).toBeLessThan(1.2 * usualUs);
  });

  test('gaps that vary by half are asked about rarely (seed 1)', () => {
    const silence = new Silence();
    const random = new SeededRandom(1);
    let atUs = 0;
    let asked = 0;
    for (let i = 0; i < 5000; i++) {
      atUs += Math.round((10 + 20 * random.unit()) * MILLISECOND);
      if (silence.takeDue(atUs - 1)) asked++;
      silence.onArrival(atUs);
    }
    expect(asked).toBeLessThan(10);
  });
});
