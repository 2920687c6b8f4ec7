import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Claim, shareOut } from '../../src/rate/share.ts';

const UNKNOWN = Number.POSITIVE_INFINITY;

function claim(part: Partial<Claim>): Claim {
  return { isFirst: false, weight: 1, usedBps: 0, maxBps: UNKNOWN, shareBps: 0, ...part };
}

function shares(claims: readonly Claim[], availableBps: number): number[] {
  shareOut(claims, availableBps);
  return claims.map(({ shareBps }) => shareBps);
}

describe('sharing a rate among tracks', () => {
  it('gives video what audio does not use', () => {
    const audio = claim({ isFirst: true, usedBps: 96_000 });
    expect(shares([claim({}), audio], 1_000_000)).toEqual([904_000, 1_000_000]);
  });

  it('shares among video tracks by weight', () => {
    expect(shares([claim({ weight: 3 }), claim({ weight: 1 })], 4_000_000)).toEqual([3_000_000, 1_000_000]);
  });

  it('hands on what a track cannot use, by weight', () => {
    const capped = claim({ weight: 2, maxBps: 500_000 });
    expect(shares([capped, claim({ weight: 1 }), claim({ weight: 3 })], 4_500_000)).toEqual([
      500_000, 1_000_000, 3_000_000,
    ]);
  });

  it('leaves video nothing, and never less, where audio uses it all', () => {
    const audio = claim({ isFirst: true, usedBps: 96_000 });
    expect(shares([audio, claim({})], 60_000)).toEqual([60_000, 0]);
  });

  it('gives nobody more than there is or than it can use, and all of it where somebody can use it', () => {
    const any = fc.record({
      weight: fc.integer({ min: 1, max: 255 }),
      maxBps: fc.oneof(fc.constant(UNKNOWN), fc.integer({ min: 1000, max: 10_000_000 })),
    });
    fc.assert(
      fc.property(
        fc.array(any, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 0, max: 20_000_000 }),
        (parts, available) => {
          const claims = parts.map((part) => claim(part));
          const sum = shares(claims, available).reduce((a, b) => a + b, 0);
          const usable = claims.reduce((a, { maxBps }) => a + maxBps, 0);
          for (const { shareBps, maxBps } of claims) {
            expect(shareBps).toBeGreaterThanOrEqual(0);
            expect(shareBps).toBeLessThanOrEqual(maxBps);
          }
          expect(sum).toBeCloseTo(Math.min(available, usable), 1);
        },
      ),
    );
  });
});
