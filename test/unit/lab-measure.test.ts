/** Figures from frames: the rules of docs/benchmarks.md on frames written by hand. */
import { describe, expect, it } from 'vitest';
import type { LabFrame } from '../../src/lab/frames.ts';
import { findStalls, isOnTime, quantile, showableAtUs, summarize } from '../../src/lab/measure.ts';
import { createSources, followedBytes, mpegTs } from '../../src/lab/workload.ts';

const NEVER = Number.POSITIVE_INFINITY;
const INTERVAL_US = 33_333;

/** Frames 33 ms apart with these latencies (ms); every `group`th is a key frame. */
function framesWith(latenciesMs: readonly number[], group = 4): LabFrame[] {
  return latenciesMs.map((ms, index) => ({
    index,
    sizeBytes: 1_000,
    isKeyFrame: index % group === 0,
    sentAtUs: index * INTERVAL_US,
    deliveredAtUs: index * INTERVAL_US + ms * 1_000,
    isSkipped: false,
  }));
}

const BUDGET = { oneWayDelayUs: 30_000, latencyUs: 50_000, rateBps: 1e6 };

describe('a quantile', () => {
  it('is the smallest value that at least that share does not exceed', () => {
    const values = [1, 2, 3, 4];
    expect([0, 0.25, 0.26, 0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([1, 1, 2, 2, 4, 4]);
  });
});

describe('a frame', () => {
  it('is on time within one-way delay, latency and its own serialisation, and not a microsecond later', () => {
    const [exact, late] = framesWith([88, 88.001]) as [LabFrame, LabFrame];
    expect(isOnTime(exact, BUDGET)).toBe(true);
    expect(isOnTime(late, BUDGET)).toBe(false);
  });

  it('can be shown when every earlier frame of its group is there, and never after a lost one', () => {
    const frames = framesWith([10, 200, 10, NEVER, 10, NEVER, 10, 10, 10]);
    const shown = [...showableAtUs(frames, 4)].map((at, i) => (at - i * INTERVAL_US) / 1_000);
    expect(shown.map((ms) => Math.round(ms))).toEqual([10, 200, 167, NEVER, 10, NEVER, NEVER, NEVER, 10]);
  });

  it('that was skipped before encoding is not shown itself, and holds up no other', () => {
    const frames = framesWith([10, NEVER, 10]);
    (frames[1] as LabFrame).isSkipped = true;
    expect(Number.isFinite(showableAtUs(frames, 4)[2] as number)).toBe(true);
  });
});

describe('a stall', () => {
  /** Shown at a steady 30 per second but for one interval of so many milliseconds. */
  function stalledBy(ms: number): ReturnType<typeof findStalls> {
    const shown = Array.from(
      { length: 90 },
      (_, i) => i * INTERVAL_US + (i >= 60 ? (ms - 33.333) * 1_000 : 0),
    );
    return findStalls(Float64Array.from(shown), 0, shown.at(-1) as number);
  }

  it('is a freeze from three mean intervals and 150 ms more than the mean on', () => {
    expect(stalledBy(183).freezes.count).toBe(0);
    expect(stalledBy(184).freezes).toEqual({ count: 1, totalMs: expect.closeTo(184, 3) });
  });

  it('is a gap above 200 ms', () => {
    expect(stalledBy(199.9).gaps.count).toBe(0);
    expect(stalledBy(201).gaps).toEqual({ count: 1, totalMs: expect.closeTo(201, 3) });
  });

  it('that lasts to the end counts, and so does one over a whole stretch without any frame', () => {
    expect(findStalls(Float64Array.of(0, 33_333), 0, 1_000_000).gaps.count).toBe(1);
    expect(findStalls(Float64Array.of(NEVER, NEVER), 0, 1_000_000).gaps).toEqual({
      count: 1,
      totalMs: 1_000,
    });
  });
});

describe('a summary', () => {
  it('counts a frame that never arrives as infinitely late, and leaves none out', () => {
    const summary = summarize(framesWith([10, 10, NEVER, 10, 95]), 4, BUDGET, 0, 10 * INTERVAL_US);
    expect(summary.frames).toBe(5);
    expect(summary.delivered).toBe(4);
    expect(summary.onTime).toBe(3);
    expect(summary.latency).toEqual({ p50Ms: 10, p95Ms: NEVER, p99Ms: NEVER, maxMs: NEVER });
    expect(summary.decodable).toEqual([3, 3, 3, 3]);
  });

  it('takes only the frames of its stretch, but knows what they refer to', () => {
    const summary = summarize(
      framesWith([10, NEVER, 10, 10, 10]),
      4,
      BUDGET,
      2 * INTERVAL_US,
      5 * INTERVAL_US,
    );
    expect(summary.frames).toBe(3);
    expect(summary.decodable[0]).toBe(1);
  });
});

describe('a workload', () => {
  it('has the mean bitrate asked for, with key frames six times the others', () => {
    const [video] = createSources({ video: { bitrateBps: 4e6 } });
    let bytes = 0;
    for (let i = 0; i < 60; i++) bytes += video?.sizeBytes(i) ?? 0;
    expect(bytes * 8).toBeCloseTo(8e6, -3);
    expect((video?.sizeBytes(60) ?? 0) / (video?.sizeBytes(61) ?? 1)).toBeCloseTo(6, 3);
    expect(video?.atUs(90)).toBe(3_000_000);
  });

  it('follows a target within its bounds, and only if told to', () => {
    const follow = { minBps: 1e6, maxBps: 4e6 };
    const [follower] = createSources({ video: { bitrateBps: 2e6, follow } });
    const [stubborn] = createSources({ video: { bitrateBps: 2e6 } });
    if (follower === undefined || stubborn === undefined) throw new Error('no source');
    const ratio = (target: number): number => followedBytes(follower, 1, target) / follower.sizeBytes(1);
    expect([0.1e6, 1e6, 3e6, 9e6].map(ratio)).toEqual([0.5, 0.5, 1.5, 2].map((x) => expect.closeTo(x, 3)));
    expect(followedBytes(stubborn, 1, 9e6)).toBe(stubborn.sizeBytes(1));
    expect(followedBytes(follower, 0, 2e6, 9_000)).toBe(9_000);
    expect(followedBytes(stubborn, 0, 2e6, 9_000)).toBe(stubborn.sizeBytes(0));
  });

  it('makes MPEG-TS of bundles of 1316 bytes', () => {
    const [ts] = createSources({ packets: mpegTs(4e6) });
    expect(ts?.sizeBytes(0)).toBe(1316);
    expect(ts?.atUs(380)).toBe(1_000_160);
  });
});
