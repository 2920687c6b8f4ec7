import { describe, expect, test } from 'vitest';
import { concatBytes } from '../../src/base/bytes.ts';
import { WireError } from '../../src/base/errors.ts';
import {
  AnnouncementAssembly,
  decodeAnnouncement,
  encodeAnnouncement,
} from '../../src/track/announcement.ts';
import { encodeRecordHeader, type MediaRecord, RecordDecoder } from '../../src/track/record.ts';
import { ANNOUNCEMENT } from '../helpers/track-symbols.ts';

describe('an announcement', () => {
  test('comes back as it went', () => {
    for (const announcement of [
      ANNOUNCEMENT,
      {
        ...ANNOUNCEMENT,
        kind: 'data',
        delivery: 'timed',
        order: 'none',
        metadata: new Uint8Array(4_096).fill(32),
      },
      { ...ANNOUNCEMENT, kind: 'audio', isReliable: true, latencyUs: 0, streamId: 14 },
    ] as const) {
      expect(decodeAnnouncement(encodeAnnouncement(announcement))).toEqual(announcement);
    }
  });

  test('refuses a latency outside 1 ms..60 s and metadata above 4096 bytes', () => {
    expect(() => encodeAnnouncement({ ...ANNOUNCEMENT, latencyUs: 999 })).toThrow(RangeError);
    expect(() => encodeAnnouncement({ ...ANNOUNCEMENT, latencyUs: 60_000_001 })).toThrow(RangeError);
    expect(() => encodeAnnouncement({ ...ANNOUNCEMENT, latencyUs: Number.NaN })).toThrow(RangeError);
    expect(() => encodeAnnouncement({ ...ANNOUNCEMENT, metadata: new Uint8Array(4_097) })).toThrow(
      RangeError,
    );
  });

  test('that is cut short, too long or of an unknown kind is malformed', () => {
    const bytes = encodeAnnouncement({ ...ANNOUNCEMENT, metadata: Uint8Array.of(123, 125) });
    for (let size = 0; size < bytes.length; size++) {
      expect(decodeAnnouncement(bytes.subarray(0, size))).toBeUndefined();
    }
    expect(decodeAnnouncement(concatBytes([bytes, Uint8Array.of(0)]))).toBeUndefined();
    expect(decodeAnnouncement(Uint8Array.of(3, ...bytes.subarray(1)))).toBeUndefined();
  });

  test('is complete when every piece is there, in any order; contradictions are errors', () => {
    const bytes = encodeAnnouncement({ ...ANNOUNCEMENT, metadata: new Uint8Array(50) });
    const assembly = new AnnouncementAssembly();
    expect(assembly.add(bytes.length, 20, bytes.subarray(20))).toBe(0);
    expect(assembly.complete).toBeUndefined();
    expect(assembly.add(bytes.length + 1, 0, bytes.subarray(0, 20))).toBe(WireError.PROTOCOL_VIOLATION);
    expect(assembly.add(bytes.length, bytes.length - 1, bytes.subarray(0, 2))).toBe(
      WireError.FRAME_ENCODING_ERROR,
    );
    expect(assembly.add(bytes.length, 0, bytes.subarray(0, 20))).toBe(0);
    expect(assembly.complete).toEqual(bytes);
    expect(new AnnouncementAssembly().add(4_353, 0, bytes)).toBe(WireError.FRAME_ENCODING_ERROR);
  });
});

describe('records of a reliable track', () => {
  const records = [
    { data: new Uint8Array(0), timestampUs: 0, durationUs: undefined, keyFrame: false, discardable: false },
    {
      data: new Uint8Array(70_000).fill(5),
      timestampUs: -7,
      durationUs: 33_333,
      keyFrame: true,
      discardable: false,
    },
    { data: Uint8Array.of(1), timestampUs: 2 ** 40, durationUs: 0, keyFrame: false, discardable: true },
  ];
  const stream = concatBytes(
    records.flatMap((record) => [encodeRecordHeader(record.data.length, record), record.data]),
  );

  test.each([1, 3, 1_000, 1_000_000])('come out whole from pieces of %i bytes', (size) => {
    const decoder = new RecordDecoder();
    const out: MediaRecord[] = [];
    for (let at = 0; at < stream.length; at += size) {
      expect(decoder.push(stream.subarray(at, at + size), (record) => out.push(record))).toBe(0);
      if (at === 0 && size === 1) expect(decoder.isAtBoundary).toBe(false);
    }
    expect(out.map((record) => ({ ...record, data: record.data.length }))).toEqual(
      records.map((record) => ({ ...record, data: record.data.length })),
    );
    expect(Buffer.compare(out[1]?.data as Uint8Array, records[1]?.data as Uint8Array)).toBe(0);
    expect(decoder.isAtBoundary).toBe(true);
  });

  test('above 16 MiB, or with integers above 2^53-1, are refused before anything is allocated', () => {
    const take = (): void => {};
    expect(new RecordDecoder().push(Uint8Array.of(0x81, 0, 0, 1, 0, 0), take)).toBe(
      WireError.FRAME_ENCODING_ERROR,
    );
    const huge = Uint8Array.of(1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
    expect(new RecordDecoder().push(huge, take)).toBe(WireError.FRAME_ENCODING_ERROR);
    expect(() => encodeRecordHeader(16_777_217, { timestampUs: 0 })).toThrow(RangeError);
  });
});
