/** Every loss model against the numbers that define it. */
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { createLoss, type LossSpec } from '../../src/sim/loss.ts';

/** Fates of `count` packets sent every `gapUs`. */
function fates(spec: LossSpec, count: number, seed: number, gapUs = 1_000, sizeBytes = 1_200): boolean[] {
  const model = createLoss(spec, new SeededRandom(seed));
  return Array.from({ length: count }, (_, index) => model.isLost(index * gapUs, sizeBytes, index));
}

function ratioOf(lost: readonly boolean[]): number {
  return lost.filter(Boolean).length / lost.length;
}

/** Lengths of the runs of lost packets. */
function burstsOf(lost: readonly boolean[]): number[] {
  return lost
    .map((isLost) => (isLost ? 'x' : '.'))
    .join('')
    .split(/\.+/)
    .filter((run) => run !== '')
    .map((run) => run.length);
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

describe('loss models', () => {
  it('i.i.d. loses its share, in bursts of 1 / (1 - p) packets (seed 5)', () => {
    const lost = fates({ kind: 'iid', ratio: 0.2 }, 100_000, 5);
    expect(ratioOf(lost)).toBeCloseTo(0.2, 2);
    expect(mean(burstsOf(lost))).toBeCloseTo(1.25, 1);
  });

  it('i.i.d. with a longest burst never exceeds it (seed 6)', () => {
    const bursts = burstsOf(fates({ kind: 'iid', ratio: 0.3, burstMax: 3 }, 100_000, 6));
    expect(Math.max(...bursts)).toBe(3);
  });

  it.each([
    [0.02, 3],
    [0.05, 8],
  ])('bursts have the ratio %f and the mean length %f asked for (seed 7)', (ratio, meanBurst) => {
    const lost = fates({ kind: 'burst', ratio, meanBurst }, 1_000_000, 7);
    expect(Math.abs(ratioOf(lost) / ratio - 1)).toBeLessThan(0.05);
    expect(Math.abs(mean(burstsOf(lost)) / meanBurst - 1)).toBeLessThan(0.05);
  });

  it("Gilbert-Elliott gives Tambur's published channel its mean loss of 7.4 % (seed 8)", () => {
    const channel = { goodToBad: 0.068, badToGood: 0.852, lossGood: 0.04, lossBad: 0.5 };
    expect(ratioOf(fates({ kind: 'gilbert-elliott', ...channel }, 300_000, 8))).toBeCloseTo(0.074, 2);
  });

  it('Gilbert-Elliott by time loses the same share whatever the packet rate (seed 9)', () => {
    const spec: LossSpec = { kind: 'gilbert-elliott-time', meanGoodMs: 19, meanBadMs: 1 };
    for (const gapUs of [100, 20_000, 3_000_000]) {
      expect(Math.abs(ratioOf(fates(spec, 400_000, 9, gapUs)) - 0.05)).toBeLessThan(0.006);
    }
  });

  it('Gilbert-Elliott by time does not hold a quiet sender in the bad state; by packet it does', () => {
    // A first packet in the bad state, then ten seconds of silence, then the next packet: is that lost too?
    const lostAgain = (spec: LossSpec): number => {
      let first = 0;
      let second = 0;
      for (let seed = 0; seed < 20_000; seed++) {
        const model = createLoss(spec, new SeededRandom(seed));
        if (!model.isLost(0, 100, 0)) continue;
        first++;
        if (model.isLost(10_000_000, 100, 1)) second++;
      }
      return second / first;
    };
    expect(lostAgain({ kind: 'gilbert-elliott-time', meanGoodMs: 180, meanBadMs: 20 })).toBeLessThan(0.15);
    expect(lostAgain({ kind: 'gilbert-elliott', goodToBad: 0.01, badToGood: 0.1 })).toBeGreaterThan(0.85);
  });

  it('Gilbert-Elliott by time has bad periods of the mean length asked for (seed 10)', () => {
    const spec: LossSpec = { kind: 'gilbert-elliott-time', meanGoodMs: 90, meanBadMs: 10 };
    const bursts = burstsOf(fates(spec, 2_000_000, 10, 100));
    expect(Math.abs(mean(bursts) / 100 - 1)).toBeLessThan(0.05);
  });

  it('a pattern loses exactly its packets, once or again and again', () => {
    const show = (spec: LossSpec): string =>
      fates(spec, 10, 1)
        .map((isLost) => (isLost ? 'x' : '.'))
        .join('');
    expect(show({ kind: 'pattern', pattern: 'x..x' })).toBe('x..x......');
    expect(show({ kind: 'pattern', pattern: 'x..x', repeat: true })).toBe('x..xx..xx.');
    expect(show({ kind: 'index', indexes: [2, 9] })).toBe('..x......x');
  });

  it('loss by size takes only packets of that size', () => {
    const spec: LossSpec = { kind: 'size', minBytes: 1_000, maxBytes: 1_300 };
    expect(ratioOf(fates(spec, 100, 1, 1_000, 1_200))).toBe(1);
    expect(ratioOf(fates(spec, 100, 1, 1_000, 999))).toBe(0);
    expect(ratioOf(fates(spec, 100, 1, 1_000, 1_301))).toBe(0);
  });

  it('several models lose what any of them loses', () => {
    const models: LossSpec[] = [
      { kind: 'index', indexes: [1] },
      { kind: 'pattern', pattern: '..x' },
    ];
    expect(fates({ kind: 'any', models }, 4, 1)).toEqual([false, true, true, false]);
  });

  it('gives equal fates for equal seeds and others for another seed', () => {
    const spec: LossSpec = { kind: 'burst', ratio: 0.1, meanBurst: 4 };
    expect(fates(spec, 500, 11)).toEqual(fates(spec, 500, 11));
    expect(fates(spec, 500, 11)).not.toEqual(fates(spec, 500, 12));
  });

  it('refuses ratios outside 0..1', () => {
    for (const ratio of [-0.1, 1.1, Number.NaN]) {
      expect(() => createLoss({ kind: 'iid', ratio }, new SeededRandom(1))).toThrow(RangeError);
    }
    expect(() => createLoss({ kind: 'burst', ratio: 0.5, meanBurst: 0.5 }, new SeededRandom(1))).toThrow(
      RangeError,
    );
  });
});
