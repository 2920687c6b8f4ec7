/** The parts of the bench against the kernel that need no kernel: frames in pipes and datagrams, cells, verdicts, storage. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ADAPTERS, adapterOf } from '../../bench/kernel/adapters/all.ts';
import { Assembler, fragmentsOf } from '../../bench/kernel/ends/fragments.ts';
import { makeFrame, readFrame } from '../../bench/kernel/frame-bytes.ts';
import { allCells, type KernelCellPlan, quickCells } from '../../bench/kernel/matrix.ts';
import { median } from '../../bench/kernel/median.ts';
import { FrameRun } from '../../bench/kernel/pipe-frames.ts';
import { picture, readmeSection } from '../../bench/kernel/publish.ts';
import { kernelSections } from '../../bench/kernel/report.ts';
import { estimateMs } from '../../bench/kernel/schedule.ts';
import { type Finished, Store } from '../../bench/kernel/store.ts';
import { comparisons, limitMs, verdictsOf, wireRatio } from '../../bench/kernel/verdict.ts';
import { renderPage } from '../../bench/report/page.ts';
import { RecordParser } from '../../src/cli/framing-record.ts';
import { summarize } from '../../src/lab/measure.ts';
import { createSources } from '../../src/lab/workload.ts';

const VIDEO = createSources({ video: { bitrateBps: 1e6, framesPerSecond: 100 } });

describe('a frame in bytes', () => {
  it('names itself, whatever carries it', () => {
    expect(readFrame(makeFrame(3, 70_000, 1_000))).toEqual({ source: 3, index: 70_000 });
  });

  it('is none any more when one bit of it changed, or a byte is missing', () => {
    const frame = makeFrame(0, 5, 500);
    for (const at of [0, 4, 8, 499]) {
      const damaged = Buffer.from(frame);
      damaged[at] = (damaged[at] as number) ^ 1;
      expect(readFrame(damaged)).toBeUndefined();
    }
    expect(readFrame(frame.subarray(0, 4))).toBeUndefined();
  });
});

describe('fragments', () => {
  it('make the frame again in any order', () => {
    const frame = makeFrame(1, 9, 5_000);
    const assembler = new Assembler();
    const datagrams = fragmentsOf(1, 9, frame).reverse();
    expect(datagrams.map(({ length }) => length)).toEqual([812, 1_412, 1_412, 1_412]);
    expect(datagrams.map((datagram) => assembler.push(datagram))).toEqual([
      undefined,
      undefined,
      undefined,
      frame,
    ]);
  });

  it('make no frame without all of them, nor from one twice', () => {
    const assembler = new Assembler();
    const [first, second] = fragmentsOf(0, 1, makeFrame(0, 1, 2_000));
    for (const datagram of [first, first]) expect(assembler.push(datagram as Buffer)).toBeUndefined();
    expect(assembler.push(second as Buffer)).toHaveLength(2_000);
    expect(assembler.push(Buffer.alloc(3))).toBeUndefined();
  });

  it('of frames that never become whole are forgotten', () => {
    const assembler = new Assembler();
    const [first, second] = fragmentsOf(0, 0, makeFrame(0, 0, 2_000));
    assembler.push(first as Buffer);
    for (let i = 1; i <= 600; i++) assembler.push(fragmentsOf(0, i, makeFrame(0, i, 2_000))[0] as Buffer);
    expect(assembler.push(second as Buffer)).toBeUndefined();
  });
});

describe('frames through pipes', () => {
  for (const framing of ['u32', 'record'] as const) {
    it(`are offered, come back and are told apart with framing ${framing}`, async () => {
      const run = new FrameRun(VIDEO, framing);
      const pipe = new PassThrough();
      run.collect(pipe);
      await run.feed(pipe, 50_000);
      const frames = run.logs[0]?.frames ?? [];
      expect(frames.map(({ sizeBytes }) => sizeBytes)).toEqual(
        [0, 1, 2, 3, 4].map((i) => VIDEO[0]?.sizeBytes(i)),
      );
      expect(frames.filter(({ deliveredAtUs }) => deliveredAtUs < Number.POSITIVE_INFINITY)).toHaveLength(5);
      expect([run.damaged, run.logs[0]?.damaged]).toEqual([0, 0]);
    });
  }

  it('say the same media times in the first cell of a long measurement and in the last', async () => {
    const timesAfter = async (clockMs: number): Promise<number[]> => {
      let nowMs = clockMs;
      const clock = vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += 0.5));
      const pipe = new PassThrough();
      await new FrameRun(VIDEO, 'record').feed(pipe, 50_000);
      clock.mockRestore();
      const times: number[] = [];
      new RecordParser().push(pipe.read() as Buffer, ({ timestampUs = Number.NaN }) =>
        times.push(timestampUs),
      );
      return times;
    };
    expect(await timesAfter(3_600_000)).toEqual(await timesAfter(1_000));
  });

  it('that come damaged, twice or unsent are counted', async () => {
    const run = new FrameRun(VIDEO, 'u32');
    const [input, output] = [new PassThrough(), new PassThrough()];
    run.collect(output);
    await run.feed(input, 10_000);
    const bytes = input.read() as Buffer;
    const damaged = Buffer.from(bytes);
    damaged[100] = (damaged[100] as number) ^ 1;
    output.write(Buffer.concat([bytes, bytes, damaged]));
    await new Promise((resolve) => setImmediate(resolve));
    expect([run.damaged, run.logs[0]?.damaged]).toEqual([1, 1]);
  });

  it('skipped by their sender, and what it tells the encoder, are heard', async () => {
    const run = new FrameRun(
      createSources({ video: { bitrateBps: 1e6, follow: { minBps: 1e5, maxBps: 1e6 } } }),
      'u32',
    );
    await run.feed(new PassThrough(), 1);
    run.onLine('SKIPPED 0 0');
    run.onNews('{"track":"video/0","bitsPerSecond":250000,"maxFrameBytes":9000}');
    expect(run.logs[0]?.frames[0]?.isSkipped).toBe(true);
    expect(run.asked[0]).toEqual({ bitsPerSecond: 250_000, maxFrameBytes: 9_000 });
  });
});

describe('the matrix', () => {
  it('has a cell of its own for each name, and every transport it names', () => {
    const ids = [...allCells(), ...quickCells()].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { spec } of allCells())
      expect(adapterOf(spec.transport).tasks).toContain(spec.isBulk ? 'bulk' : 'frames');
  });

  it('gives millrace 5000 frames after start-up in every video cell, and others 1500', () => {
    for (const { spec } of allCells().filter(({ set }) => set === 'video')) {
      const frames = ((spec.durationMs - 3_000) * 30) / 1_000;
      expect(Math.round(frames)).toBeGreaterThanOrEqual(spec.transport === 'millrace' ? 5_000 : 1_500);
    }
  });

  it('has a quick form of less than three minutes, two cells at a time', () => {
    expect(estimateMs(quickCells(), 2)).toBeLessThan(180_000);
  });

  it('calls each adapter by one name', () => {
    expect(new Set(ADAPTERS.map(({ name }) => name)).size).toBe(ADAPTERS.length);
    expect(() => adapterOf('carrier pigeon')).toThrow(RangeError);
  });
});

/** A finished cell of 100 frames, of which the first `late` came a second late. */
function finished(cell: KernelCellPlan, late: number, wireBytes = 110_000): Finished {
  const frames = Array.from({ length: 100 }, (_, index) => {
    const sentAtUs = index * 33_333;
    const deliveredAtUs = sentAtUs + (index < late ? 1_000_000 : 50_000);
    return {
      index,
      sizeBytes: 1_000,
      isKeyFrame: index % 60 === 0,
      sentAtUs,
      deliveredAtUs,
      isSkipped: false,
    };
  });
  const budget = { oneWayDelayUs: 30_000, latencyUs: 120_000, rateBps: 20e6 };
  const phase = summarize(frames, 60, budget, 0, 4e6);
  const wire = { bytes: wireBytes, packets: 100, lost: 0, queueDropped: 0, blackedOut: 0 };
  const lateness = { count: 1, p50Us: 1, p99Us: 1, p999Us: 1, maxUs: 1 };
  return {
    cell,
    result: {
      transport: cell.spec.transport,
      seed: 1,
      latencyMs: 120,
      sources: [{ name: 'video', startup: phase, steady: phase, damaged: 0 }],
      mediaBytes: 100_000,
      up: wire,
      down: wire,
      goodputBps: 4e6,
      competitorBps: [],
      senderSecondsPerGbit: 1,
      receiverSecondsPerGbit: Number.POSITIVE_INFINITY,
      timing: { up: lateness, down: lateness },
      load: 0,
      faults: [],
    },
    made: { version: 'millrace 1.0.0 (abcdef)', jobs: 2, priority: 'normal' },
  };
}

function cell(id: string): KernelCellPlan {
  return [...allCells(), ...quickCells()].find((one) => one.id === id) as KernelCellPlan;
}

describe('a verdict', () => {
  it('holds each limit of a cell against its figure', () => {
    const verdicts = verdictsOf(finished(cell('video/20-5%/millrace'), 2, 115_000));
    expect(verdicts.map(({ asked, isMet }) => [asked, isMet])).toEqual([
      ['on time at least 99.90 %', false],
      ['wire ratio at most 1.130', false],
      ['p50 above the limit at most 5.0 ms', false],
    ]);
  });

  it('knows the least that propagation and serialisation take', () => {
    const limit = limitMs(finished(cell('video/60-0%/millrace'), 0));
    expect(limit.p50).toBeCloseTo(30 + ((1_000 * 60) / 65 / 20e6) * 8e3, 6);
    expect(limit.p99).toBeCloseTo(30 + ((6_000 * 60) / 65 / 20e6) * 8e3, 6);
  });

  it('compares millrace with each TCP on the same network only', () => {
    const cells = [
      finished(cell('quick/60-2%/millrace'), 3),
      finished(cell('quick/60-2%/tcp-cubic'), 50),
      finished(cell('quick/60-2%/tcp-bbr'), 1),
      finished(cell('quick/60-5%/tcp-bbr'), 0),
    ];
    expect(comparisons(cells).map(({ isMet }) => isMet)).toEqual([true, false]);
    expect(wireRatio(cells[0] as Finished)).toBe(1.1);
  });

  it('forgives less than half a per cent in the quick form only', () => {
    const withOnTime = (id: string, onTime: number): Finished => {
      const one = finished(cell(id), 0);
      const [source] = one.result.sources;
      const steady = { ...(source as NonNullable<typeof source>).steady, frames: 1_000, onTime };
      return {
        ...one,
        result: { ...one.result, sources: [{ name: 'video', startup: steady, steady, damaged: 0 }] },
      };
    };
    const judge = (set: string): boolean[] =>
      comparisons([withOnTime(`${set}/60-2%/millrace`, 996), withOnTime(`${set}/60-2%/tcp-bbr`, 1_000)]).map(
        ({ isMet }) => isMet,
      );
    expect([judge('quick'), judge('video')]).toEqual([[true], [false]]);
  });

  it('blames no quick cell for a few frames that a stall of the emulator held up', () => {
    const stalled = (late: number): Finished => {
      const one = finished(cell('quick/60-2%/millrace'), late);
      const { up } = one.result.timing;
      return {
        ...one,
        result: { ...one.result, timing: { up: { ...up, maxUs: 53_000 }, down: up } },
      };
    };
    const judge = (late: number): boolean[] =>
      comparisons([stalled(late), finished(cell('quick/60-2%/tcp-bbr'), 0)]).map(({ isMet }) => isMet);
    expect([judge(0), judge(4), judge(8)]).toEqual([[true], [true], [false]]);
  });
});

describe('the store', () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });

  it('gives back what it was given, for the same spec, without faults and undisturbed only', () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-store-'));
    folders.push(folder);
    const store = new Store(folder);
    const one = finished(cell('quick/60-2%/millrace'), 100);
    expect(store.load(one.cell)).toBeUndefined();
    store.save(one);
    expect(store.load(one.cell)).toEqual(one);
    expect(store.load({ ...one.cell, spec: { ...one.cell.spec, seed: 2 } })).toBeUndefined();
    store.save({ ...one, result: { ...one.result, faults: ['a clock ran backwards'] } });
    expect(store.load(one.cell)).toBeUndefined();
    store.save({ ...one, result: { ...one.result, disturbances: ['the emulator was late'] } });
    expect(store.load(one.cell)).toBeUndefined();
  });
});

describe('the median', () => {
  it('is the middle, or the mean of the two in the middle', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, undefined]);
  });
});

describe('the report', () => {
  it('has a section per set that ran, and shows what was missed as missed', () => {
    const cells = [
      'video/60-5%/millrace',
      'video/60-5%/tcp-cubic',
      'bulk/60-1%/tcp-bbr',
      'dynamic/step/udp',
    ].map((id) => finished(cell(id), 50));
    const sections = kernelSections(cells, [], cells.flatMap(verdictsOf));
    expect(sections.map(({ id }) => id)).toEqual([
      'kernel-video',
      'kernel-bulk',
      'kernel-dynamic',
      'kernel-limits',
    ]);
    expect(JSON.stringify(sections.at(-1))).toContain('"!50.00 %"');
    const page = renderPage('kernel', [{ title: 'kernel', facts: {}, sections }]);
    expect(page).toContain('On time, RTT 60 ms');
  });

  it('gives the README a picture that stands alone, and a table of what is in it', () => {
    const cells = ['video/60-5%/millrace', 'video/60-5%/tcp-cubic', 'video/60-10%/millrace'].map((id) =>
      finished(cell(id), 1),
    );
    const svg = picture(cells);
    expect(svg).toMatch(/^<svg[^>]*><style>:root \{ --paper/);
    for (const [, name] of svg.matchAll(/var\(--(\w+)\)/g)) expect(svg).toContain(`--${name}:`);
    expect(readmeSection(cells, { machine: 'a machine', node: 'v20', measured: 'all: on a day' })).toContain(
      '| 5%   | 99.0 % at 1.10 | 99.0 % at 1.10 |',
    );
  });
});
