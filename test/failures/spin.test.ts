/** Random calls on a live pair while all faults of a network happen at random; the soak does it for hours. */
import { describe, expect, test } from 'vitest';
import { Spin } from './spin.ts';

describe('random calls under random faults', () => {
  test.each([1, 2, 3, 4])('twenty seconds: every invariant holds and all adds up (seed %i)', (seed) => {
    const spin = new Spin(seed);
    spin.run(20_000);
    const { calls, frames, streamBytes } = spin.finish();
    expect(calls).toBeGreaterThan(100);
    expect(frames).toBeGreaterThan(100);
    expect(streamBytes).toBeGreaterThan(100_000);
  });
});
