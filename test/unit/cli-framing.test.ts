import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FrameParser, FrameWriter, MediaUnit, OutgoingUnit } from '../../src/cli/framing.ts';
import { RawParser, writeRaw } from '../../src/cli/framing-raw.ts';
import { RecordParser, writeRecord } from '../../src/cli/framing-record.ts';
import { U32Parser, writeU32 } from '../../src/cli/framing-u32.ts';
import { TIMESTAMP_US_MAX } from '../../src/wire/symbol.ts';

function parseAll(parser: FrameParser, chunks: readonly Uint8Array[]): MediaUnit[] {
  const units: MediaUnit[] = [];
  for (const chunk of chunks) {
    const own = Uint8Array.from(chunk);
    parser.push(own, (unit) => units.push(unit));
    own.fill(0xee); // what a parser keeps must be its own
  }
  parser.end((unit) => units.push(unit));
  return units;
}

function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

const frames = fc.array(
  fc.record({
    data: fc.uint8Array({ maxLength: 300 }),
    timestampUs: fc.nat({ max: TIMESTAMP_US_MAX }),
    keyFrame: fc.boolean(),
    discardable: fc.boolean(),
    track: fc.nat({ max: 255 }),
    sequence: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  }),
  { maxLength: 12 },
);
const cuts = fc.array(fc.nat({ max: 10_000 }), { maxLength: 40 });

function encode(writer: FrameWriter, units: readonly OutgoingUnit[]): Uint8Array {
  return Buffer.concat(units.flatMap((unit) => [...writer(unit)]));
}

describe('framings give the same media frames however the bytes are split (seed 3)', () => {
  test('u32, empty frames included', () => {
    fc.assert(
      fc.property(frames, cuts, (units, at) => {
        const parsed = parseAll(new U32Parser(), split(encode(writeU32, units), at));
        expect(parsed.map(({ data }) => [...data])).toEqual(units.map(({ data }) => [...data]));
      }),
      { seed: 3 },
    );
  });

  test('record, with flags, tracks and timestamps', () => {
    fc.assert(
      fc.property(frames, cuts, (units, at) => {
        const parsed = parseAll(new RecordParser(), split(encode(writeRecord, units), at));
        expect(parsed.map((unit) => ({ ...unit, data: [...unit.data] }))).toEqual(
          units.map(({ sequence: _, ...unit }) => ({ ...unit, data: [...unit.data] })),
        );
      }),
      { seed: 3 },
    );
  });

  test('raw, in pieces of one source symbol', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 2000 }),
        cuts,
        fc.integer({ min: 1, max: 300 }),
        (bytes, at, size) => {
          const parsed = parseAll(new RawParser(() => size), split(bytes, at));
          expect(Buffer.concat(parsed.map(({ data }) => data)).equals(Buffer.from(bytes))).toBe(true);
          for (const unit of parsed.slice(0, -1)) expect(unit.data.length).toBe(size);
        },
      ),
      { seed: 3 },
    );
  });
});

describe('u32 framing', () => {
  test('is a 32-bit big-endian length and the bytes', () => {
    const unit = {
      data: Uint8Array.of(7, 8),
      timestampUs: 0,
      keyFrame: false,
      discardable: false,
      track: 0,
      sequence: 0,
    };
    expect([...Buffer.concat([...writeU32(unit)])]).toEqual([0, 0, 0, 2, 7, 8]);
    expect([...Buffer.concat([...writeRaw(unit)])]).toEqual([7, 8]);
  });

  test('takes 16 MiB and refuses one byte more, before it arrives', () => {
    const header = (size: number): Uint8Array => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(size);
      return bytes;
    };
    const largest = new Uint8Array(16_777_216);
    expect(parseAll(new U32Parser(), [header(largest.length), largest])[0]?.data.length).toBe(largest.length);
    expect(() => new U32Parser().push(header(16_777_217), () => {})).toThrow(/16 MiB/);
    expect(() => new U32Parser().push(header(0xffff_ffff), () => {})).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_IO' }),
    );
  });

  test('an end inside a length or inside a frame is an error, between frames it is not', () => {
    for (const bytes of [[0], [0, 0, 0], [0, 0, 0, 2], [0, 0, 0, 2, 1]]) {
      expect(() => parseAll(new U32Parser(), [Uint8Array.from(bytes)])).toThrow(/inside a u32 frame/);
    }
    expect(parseAll(new U32Parser(), [])).toEqual([]);
    expect(parseAll(new U32Parser(), [Uint8Array.of(0, 0, 0, 0)])[0]?.data.length).toBe(0);
  });
});

describe('record framing', () => {
  test('has a header of 24 bytes, big-endian', () => {
    const [header, data] = writeRecord({
      data: Uint8Array.of(9),
      timestampUs: 0x1_0000_0002,
      keyFrame: true,
      discardable: true,
      track: 5,
      sequence: 3,
    });
    expect([...(header as Uint8Array)]).toEqual([
      0, 0, 0, 1, 5, 3, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3,
    ]);
    expect([...(data as Uint8Array)]).toEqual([9]);
  });

  test('refuses reserved bits, absurd times, and an end inside a frame', () => {
    const header = (change: (bytes: Uint8Array) => void): Uint8Array => {
      const bytes = new Uint8Array(24);
      change(bytes);
      return bytes;
    };
    expect(() => parseAll(new RecordParser(), [header((b) => (b[5] = 4))])).toThrow(/reserved/);
    expect(() => parseAll(new RecordParser(), [header((b) => (b[7] = 1))])).toThrow(/reserved/);
    expect(() => parseAll(new RecordParser(), [header((b) => (b[8] = 0xff))])).toThrow(/timestamp/);
    expect(() => parseAll(new RecordParser(), [header((b) => (b[3] = 1))])).toThrow(/inside a record frame/);
  });
});

test('a record whose timestamp no media frame can have is an error of framing', () => {
  const header = new Uint8Array(24);
  new DataView(header.buffer).setBigUint64(8, BigInt(TIMESTAMP_US_MAX));
  expect(parseAll(new RecordParser(), [header]).map(({ timestampUs }) => timestampUs)).toEqual([
    TIMESTAMP_US_MAX,
  ]);
  new DataView(header.buffer).setBigUint64(8, BigInt(TIMESTAMP_US_MAX) + 1n);
  expect(() => parseAll(new RecordParser(), [header])).toThrow(/timestamp is above/);
});
