import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MediaUnit } from '../../src/cli/framing.ts';
import { looksLikeTs, readTsPacket, TsClock, type TsPacketInfo, TsParser } from '../../src/cli/framing-ts.ts';

const clip = readFileSync(new URL('../../demo/media/clip.mpegts', import.meta.url));

interface PacketOptions {
  readonly pid?: number;
  readonly pcrUs?: number;
  readonly randomAccess?: boolean;
  readonly discontinuity?: boolean;
}
function packet({
  pid = 256,
  pcrUs,
  randomAccess = false,
  discontinuity = false,
}: PacketOptions): Uint8Array {
  const bytes = new Uint8Array(188).fill(0xaa);
  bytes.set([0x47, (pid >> 8) & 0x1f, pid & 255, 0x10]);
  if (pcrUs === undefined && !randomAccess) return bytes;
  bytes[3] = 0x30;
  bytes[4] = 7;
  bytes[5] = (discontinuity ? 0x80 : 0) | (randomAccess ? 0x40 : 0) | (pcrUs === undefined ? 0 : 0x10);
  if (pcrUs !== undefined) {
    const ticks = Math.round(pcrUs * 27);
    const base = Math.floor(ticks / 300) % 2 ** 33;
    const extension = ticks % 300;
    const high = Math.floor(base / 2);
    bytes.set(
      [
        high / 16_777_216,
        high / 65_536,
        high / 256,
        high,
        ((base % 2) << 7) | 0x7e | (extension >> 8),
        extension,
      ],
      6,
    );
  }
  return bytes;
}
function parse(chunks: readonly Uint8Array[], size = 1128): MediaUnit[] {
  const parser = new TsParser(() => size);
  const units: MediaUnit[] = [];
  for (const chunk of chunks) parser.push(chunk, (unit) => units.push(unit));
  parser.end((unit) => units.push(unit));
  return units;
}
const joined = (units: readonly MediaUnit[]): Buffer => Buffer.concat(units.map(({ data }) => data));
const info = (): TsPacketInfo => ({ pid: 0, pcrUs: -1, randomAccess: false, discontinuity: false });

describe('MPEG-TS packets', () => {
  test('tell PID, clock and random access', () => {
    const read = info();
    readTsPacket(packet({ pid: 0x1abc, pcrUs: 1_234_567.5, randomAccess: true }), 0, read);
    expect(read.pid).toBe(0x1abc);
    expect(read.pcrUs).toBeCloseTo(1_234_567.5, 1);
    expect(read.randomAccess).toBe(true);
    readTsPacket(packet({ pid: 1 }), 0, read);
    expect(read).toEqual({ pid: 1, pcrUs: -1, randomAccess: false, discontinuity: false });
  });

  test('with an adaptation field that lies about its length are read as without', () => {
    const bytes = packet({ pcrUs: 5 });
    bytes[4] = 200;
    const read = info();
    readTsPacket(bytes, 0, read);
    expect(read.pcrUs).toBe(-1);
    bytes[4] = 3; // too short for a clock
    readTsPacket(bytes, 0, read);
    expect(read.pcrUs).toBe(-1);
  });

  test('arbitrary bytes never crash the reader (seed 4)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 188, maxLength: 188 }), (bytes) => {
        const read = info();
        readTsPacket(bytes, 0, read);
        expect(Number.isFinite(read.pcrUs)).toBe(true);
      }),
      { seed: 4 },
    );
  });
});

describe('ts framing', () => {
  test('puts as many whole packets into a media frame as fit', () => {
    const units = parse([clip], 1200);
    for (const unit of units.slice(0, -1)) expect(unit.data.length).toBe(6 * 188);
    expect(joined(units).equals(clip)).toBe(true);
    expect(parse([clip.subarray(0, 188 * 14)], 1400).map(({ data }) => data.length)).toEqual([1316, 1316]);
    expect(parse([clip.subarray(0, 188 * 2)], 100).map(({ data }) => data.length)).toEqual([188, 188]);
  });

  test('gives the same media frames however the bytes are split (seed 8)', () => {
    const bytes = clip.subarray(0, 188 * 80);
    const whole = parse([bytes]);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: bytes.length }), { maxLength: 30 }), (at) => {
        const ends = [...at.sort((a, b) => a - b), bytes.length];
        const chunks = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
        expect(parse(chunks)).toEqual(whole);
      }),
      { seed: 8, numRuns: 60 },
    );
  });

  test('marks the key frames of the clip, five in ten seconds, and follows its clock', () => {
    const units = parse([clip]);
    expect(units.filter(({ keyFrame }) => keyFrame).length).toBe(5);
    const times = units.flatMap(({ timestampUs }) => timestampUs ?? []);
    expect(times.length).toBeGreaterThan(300);
    expect([...times].sort((a, b) => a - b)).toEqual(times);
    const span = (times.at(-1) as number) - (times[0] as number);
    expect(span).toBeGreaterThan(9.5e6);
    expect(span).toBeLessThan(10.5e6);
  });

  test('ignores random access on a PID without a clock: audio has it everywhere', () => {
    const units = parse([packet({ pid: 300, randomAccess: true }), packet({ pid: 256, pcrUs: 0 })], 188);
    expect(units.map(({ keyFrame }) => keyFrame)).toEqual([false, false]);
    const video = parse([packet({ pid: 256, pcrUs: 0, randomAccess: true })], 188);
    expect(video[0]?.keyFrame).toBe(true);
  });

  test('passes bytes that are out of step on unchanged, and finds the step again', () => {
    const junk = Uint8Array.from({ length: 100 }, (_, i) => (i % 40) + 1);
    const bytes = Buffer.concat([
      junk,
      packet({ pid: 1 }),
      packet({ pid: 2 }),
      junk.subarray(0, 33),
      packet({ pid: 3 }),
    ]);
    const units = parse([bytes]);
    expect(joined(units).equals(bytes)).toBe(true);
    expect(units.map(({ data }) => data.length)).toEqual([100, 376, 33, 188]);
  });

  test('hands a cut last packet over as it is', () => {
    const bytes = Buffer.concat([packet({}), packet({}).subarray(0, 50)]);
    expect(parse([bytes]).map(({ data }) => data.length)).toEqual([188, 50]);
  });

  test('flushes whole packets only', () => {
    const parser = new TsParser(() => 1128);
    const units: MediaUnit[] = [];
    parser.push(clip.subarray(0, 188 * 2 + 10), (unit) => units.push(unit));
    parser.flush((unit) => units.push(unit));
    parser.flush((unit) => units.push(unit));
    expect(units.map(({ data }) => data.length)).toEqual([376]);
  });
});

describe('TS detection', () => {
  test('wants sync bytes where packets begin', () => {
    expect(looksLikeTs(clip)).toBe(true);
    expect(looksLikeTs(clip.subarray(0, 400))).toBe(true);
    expect(looksLikeTs(clip.subarray(0, 188))).toBe(true);
    expect(looksLikeTs(clip.subarray(0, 187))).toBe(false);
    expect(looksLikeTs(clip.subarray(1, 1000))).toBe(false);
    const once = new Uint8Array(1000);
    once[0] = 0x47;
    expect(looksLikeTs(once)).toBe(false);
  });
});

describe('TS clock', () => {
  const at = (clock: TsClock, pcrUs: number, discontinuity = false): number | undefined =>
    clock.read({ pid: 1, pcrUs, randomAccess: false, discontinuity });
  const WRAP_US = (2 ** 33 / 90_000) * 1e6;

  test('goes on over the wrap after 26.5 hours', () => {
    const clock = new TsClock();
    const first = at(clock, WRAP_US - 20_000) as number;
    expect((at(clock, 20_000) as number) - first).toBeCloseTo(40_000, -1);
  });

  test('goes on over a discontinuity, announced or not, as if the last interval had passed', () => {
    const clock = new TsClock();
    at(clock, 1_000_000);
    at(clock, 1_020_000);
    expect(at(clock, 9_000_000, true)).toBe(1_040_000);
    expect(at(clock, 9_020_000)).toBe(1_060_000);
    expect(at(clock, 500_000)).toBe(1_080_000);
    expect(at(clock, 520_000)).toBe(1_100_000);
  });

  test('follows one program only', () => {
    const clock = new TsClock();
    at(clock, 100);
    expect(
      clock.read({ pid: 2, pcrUs: 5_000_000, randomAccess: false, discontinuity: false }),
    ).toBeUndefined();
    expect(clock.pid).toBe(1);
  });
});
