import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { MediaUnit } from '../../src/cli/framing.ts';
import { TsParser } from '../../src/cli/framing-ts.ts';
import {
  BitrateSchedule,
  ClockSchedule,
  type DueUnit,
  LiveTimeline,
  systemClock,
} from '../../src/cli/pace.ts';

function unit(bytes: number, timestampUs?: number): MediaUnit {
  return { data: new Uint8Array(bytes), timestampUs, keyFrame: false, discardable: false, track: 0 };
}
function schedule(by: BitrateSchedule | ClockSchedule, units: readonly MediaUnit[]): DueUnit[] {
  const due: DueUnit[] = [];
  for (const item of units) by.push(item, (out) => due.push(out));
  by.end((out) => due.push(out));
  return due;
}

describe('pace', () => {
  test('at a bitrate sends evenly and gives media without a clock its time', () => {
    const due = schedule(new BitrateSchedule(8_000_000), [unit(1000), unit(1000), unit(500), unit(1)]);
    expect(due.map(({ dueUs }) => dueUs)).toEqual([0, 1000, 2000, 2500]);
    expect(due.map(({ unit: { timestampUs } }) => timestampUs)).toEqual([0, 1000, 2000, 2500]);
  });

  test('by the clock spreads what lies between two clock values by its bytes', () => {
    const due = schedule(new ClockSchedule('x'), [
      unit(100),
      unit(100, 5_000_000),
      unit(300),
      unit(100, 5_040_000),
      unit(100),
      unit(100, 5_060_000),
      unit(100),
    ]);
    expect(due.map(({ dueUs }) => dueUs)).toEqual([0, 0, 10_000, 40_000, 50_000, 60_000, 70_000]);
  });

  test('by record timestamps sends every frame at its own, never backwards', () => {
    const due = schedule(new ClockSchedule('x'), [
      unit(10, 0),
      unit(10, 33_000),
      unit(10, 20_000),
      unit(10, 66_000),
    ]);
    expect(due.map(({ dueUs }) => dueUs)).toEqual([0, 33_000, 33_000, 66_000]);
    expect(due[2]?.unit.timestampUs).toBe(20_000);
  });

  test('without any clock says what to do', () => {
    expect(() => schedule(new ClockSchedule('file:x'), [unit(100)])).toThrow(/--bitrate RATE or --pace off/);
    expect(() =>
      schedule(
        new ClockSchedule('file:x'),
        Array.from({ length: 9 }, () => unit(1_000_000)),
      ),
    ).toThrow(/no clock/);
    expect(schedule(new ClockSchedule('file:x'), [])).toEqual([]);
  });

  test('plays the clip in ten seconds, smoothly', () => {
    const clip = readFileSync(new URL('../../demo/media/clip.mpegts', import.meta.url));
    const units: MediaUnit[] = [];
    const parser = new TsParser(() => 1128);
    parser.push(clip, (item) => units.push(item));
    parser.end((item) => units.push(item));
    const due = schedule(new ClockSchedule('clip'), units);
    expect(due.length).toBe(units.length);
    const last = (due.at(-1) as DueUnit).dueUs;
    expect(last).toBeGreaterThan(9.5e6);
    expect(last).toBeLessThan(10.5e6);
    for (let i = 1; i < due.length; i++) {
      const step = (due[i] as DueUnit).dueUs - (due[i - 1] as DueUnit).dueUs;
      expect(step).toBeGreaterThanOrEqual(0);
      expect(step).toBeLessThan(30_000);
    }
  });

  test('waits for what is due, not for what the signal has ended', async () => {
    const control = new AbortController();
    const start = systemClock.nowUs();
    await systemClock.waitUntil(start + 20_000, control.signal);
    expect(systemClock.nowUs() - start).toBeGreaterThan(17_000);
    const forever = systemClock.waitUntil(start + 60_000_000, control.signal);
    control.abort();
    await forever;
  });
});

describe('live input', () => {
  test('has the time of its clock, and between two of its values the time that passes here', () => {
    const timeline = new LiveTimeline();
    expect(timeline.timeOf(undefined, 5_000)).toBe(5_000);
    expect(timeline.timeOf(1_400_000, 10_000)).toBe(1_400_000);
    expect(timeline.timeOf(undefined, 13_000)).toBe(1_403_000);
    expect(timeline.timeOf(1_440_000, 52_000)).toBe(1_440_000);
    expect(timeline.timeOf(undefined, 52_500)).toBe(1_440_500);
  });
});
