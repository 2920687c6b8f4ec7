import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import { Ladder } from '../../src/rate/ladder.ts';
import { RenditionSwitch } from '../../src/rate/rendition-switch.ts';

const FRAME_US = 40 * MILLISECOND;
const GOP = 10;

interface Setup {
  /** How far each encoder is behind the camera, us. */
  readonly lagsUs: readonly number[];
  /** Pictures by which the second encoder's key frames come after the first's. */
  readonly keyOffset?: number;
  /** When the ladder wants the other rendition, us. */
  readonly wantsAtUs: number;
}

interface Sent {
  readonly rendition: number;
  readonly picture: number;
  readonly delayUs: number;
}

/** Two encoders of one camera; the ladder wants the second at some time. */
function film({ lagsUs, keyOffset = 0, wantsAtUs }: Setup, pictures = 60): Sent[] {
  const step = { minBps: 1, targetBps: 1, maxBps: 1, layerShares: [1] };
  const ladder = new Ladder([step, { ...step, minBps: 1e9, targetBps: 1e9, maxBps: 1e9 }], 2);
  const sent: Sent[] = [];
  let now = 0;
  const renditions = new RenditionSwitch<number>(ladder, (picture, rendition) =>
    sent.push({ rendition, picture, delayUs: now - picture * FRAME_US }),
  );
  const arrivals = lagsUs.flatMap((lagUs, rendition) =>
    Array.from({ length: pictures }, (_, picture) => ({
      rendition,
      picture,
      atUs: picture * FRAME_US + lagUs,
    })),
  );
  arrivals.sort((a, b) => a.atUs - b.atUs);
  for (const { rendition, picture, atUs } of arrivals) {
    now = atUs;
    if (atUs >= wantsAtUs && ladder.current === 0) ladder.wanted = 1;
    const isKeyFrame = (picture - rendition * keyOffset + GOP) % GOP === 0;
    renditions.push(picture, rendition, picture * FRAME_US, isKeyFrame, atUs);
  }
  return sent;
}

function pictures(sent: readonly Sent[]): number[] {
  return sent.map(({ picture }) => picture);
}

const ALL = Array.from({ length: 60 }, (_, i) => i);

describe('moving to another rendition', () => {
  it.each([
    ['in step', [5_000, 5_000]],
    ['where the new one is 90 ms behind', [5_000, 95_000]],
    ['where the new one is 90 ms ahead', [95_000, 5_000]],
  ] as const)('sends every picture once, in order, from encoders %s', (_, lagsUs) => {
    const sent = film({ lagsUs, wantsAtUs: 1_000_000 });
    expect(pictures(sent)).toEqual(ALL);
    const first = sent.findIndex(({ rendition }) => rendition === 1);
    expect(sent.slice(first).every(({ rendition }) => rendition === 1)).toBe(true);
    expect((sent[first] as Sent).picture % GOP).toBe(0);
  });

  it('misses and repeats no picture whenever it is wanted, as long as encoders are within 120 ms', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 120_000 }),
        fc.integer({ min: 0, max: 120_000 }),
        fc.integer({ min: 0, max: 1_200_000 }),
        (first, second, wantsAtUs) => {
          const sent = film({ lagsUs: [first, second], wantsAtUs });
          expect(pictures(sent)).toEqual(ALL);
          expect(sent.at(-1)?.rendition).toBe(1);
          // What is held waits for the slower encoder, no longer.
          for (const { delayUs } of sent) expect(delayUs).toBeLessThanOrEqual(Math.max(first, second));
        },
      ),
    );
  });

  it('begins with a key frame where the key frames of the two are not of the same pictures', () => {
    const sent = film({ lagsUs: [5_000, 20_000], keyOffset: 4, wantsAtUs: 1_000_000 });
    const first = sent.findIndex(({ rendition }) => rendition === 1);
    expect((sent[first] as Sent).picture % GOP).toBe(4);
    expect(new Set(pictures(sent)).size).toBe(60);
  });

  it('happens all the same when one encoder is far behind, with a step back in time', () => {
    const sent = film({ lagsUs: [5_000, 700_000], wantsAtUs: 600_000 }, 120);
    expect(sent.at(-1)?.rendition).toBe(1);
    const first = sent.findIndex(({ rendition }) => rendition === 1);
    expect((sent[first] as Sent).picture % GOP).toBe(0);
    // Nothing waited for longer than the hold.
    for (const { rendition, delayUs } of sent) {
      expect(delayUs).toBeLessThanOrEqual(rendition === 0 ? 205_000 + FRAME_US : 700_000);
    }
  });

  it('does not happen when it is no longer wanted, and what was held goes out', () => {
    const step = { minBps: 1, targetBps: 1, maxBps: 1, layerShares: [1] };
    const ladder = new Ladder([step, step], 0);
    const sent: string[] = [];
    const renditions = new RenditionSwitch<string>(ladder, (frame) => sent.push(frame));
    renditions.push('a0', 0, 0, true, 0);
    renditions.push('b0', 1, 0, true, 0);
    ladder.wanted = 1;
    renditions.push('a1', 0, 40_000, true, 40_000);
    expect(sent).toEqual(['a0']);
    expect(renditions.isHolding).toBe(true);
    ladder.wanted = 0;
    renditions.push('a2', 0, 80_000, false, 80_000);
    expect(sent).toEqual(['a0', 'a1', 'a2']);
  });
});
