import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/cli/errors.ts';
import type { MediaUnit } from '../../src/cli/framing.ts';
import { readTsPacket, type TsPacketInfo } from '../../src/cli/framing-ts.ts';
import { ffmpegArguments, parseLadder } from '../../src/cli/ladder-spec.ts';
import { parseSend } from '../../src/cli/send.ts';
import { ContinuityCounters, TsUnitParser } from '../../src/cli/ts-units.ts';
import { root } from '../helpers/checkout.ts';

const TARGET = 'millrace://127.0.0.1:9000/live';

describe('--ladder', () => {
  it('reads lines and rates, and puts the lowest rate first', () => {
    expect(parseLadder('1080p:4M,540p:1.5M, 270p:400k')).toEqual([
      { name: '270p', height: 270, bitsPerSecond: 400_000 },
      { name: '540p', height: 540, bitsPerSecond: 1_500_000 },
      { name: '1080p', height: 1080, bitsPerSecond: 4_000_000 },
    ]);
  });

  it.each([
    ['1080:4M', 'write lines and rate'],
    ['1080p', 'write lines and rate'],
    ['1080p:fast', 'not a rate'],
    ['9p:1M', 'write lines and rate'],
    ['271p:1M', 'even'],
    ['540p:1M,540p:2M', 'twice'],
    ['270p:100k', '150k or more'],
    [Array.from({ length: 9 }, (_, i) => `${100 + 2 * i}p:1M`).join(), 'at most 8'],
  ])('refuses %s', (text, message) => {
    expect(() => parseLadder(text)).toThrow(UsageError);
    expect(() => parseLadder(text)).toThrow(message);
  });

  it.each([
    [['--ladder', '360p:1M', 'a.mp4', 'b.mp4', TARGET], 'one input'],
    [['--ladder', '360p:1M', 'a.mp4', TARGET, '--pace', 'off'], '--pace is not for --ladder'],
    [['--ladder', '360p:1M', 'a.mp4', TARGET, '--framing', 'u32'], '--framing is not for --ladder'],
    [['--ladder', '360p:1M', 'a.mp4', TARGET, '--bitrate', '1M'], '--bitrate is not for --ladder'],
  ])('refuses %j', (args, message) => {
    expect(() => parseSend(args)).toThrow(message);
  });

  it('takes whatever ffmpeg can open, with a label', () => {
    const inputOf = (text: string): unknown => parseSend(['--ladder', '360p:1M', text, TARGET]).media[0];
    expect(inputOf('/dev/video0#camera')).toMatchObject({ input: '/dev/video0', label: 'camera' });
    expect(inputOf('rtsp://10.0.0.7/stream?a=b')).toMatchObject({
      input: 'rtsp://10.0.0.7/stream?a=b',
      label: '',
    });
    expect(inputOf('test:?duration=5s#video')).toMatchObject({ input: 'test:?duration=5s', label: 'video' });
  });
});

describe('the ffmpeg command of a ladder', () => {
  const two = parseLadder('720p:2M,180p:300k');
  function argumentsFor(input: string): string {
    return ffmpegArguments(input, two).join(' ');
  }

  it('writes one MPEG-TS per rendition, key frames at the same pictures, all within the rate', () => {
    const text = argumentsFor('file:clip.mp4');
    expect(text).toContain('-re -i clip.mp4');
    expect(text).toContain('split=2[in0][in1];[in0]scale=-2:180,format=yuv420p[out0];[in1]scale=-2:720');
    expect(text.match(/-force_key_frames expr:gte\(t,n_forced\*1\)/g)).toHaveLength(2);
    const rates = [...text.matchAll(/-b:v (\d+).*?-b:a (\d+)/g)].map(
      ([, video, audio]) => Number(video) + Number(audio),
    );
    const shares = rates.map((bps, i) => bps / (two[i]?.bitsPerSecond ?? 0));
    // The container takes the rest: more of a low rate.
    expect(shares[0]).toBeGreaterThan(0.75);
    expect(shares[0]).toBeLessThan(0.85);
    expect(shares[1]).toBeGreaterThan(0.93);
    expect(shares[1]).toBeLessThan(0.97);
    expect(text).toMatch(/pipe:3 .*pipe:4$/);
  });

  it.each([
    ['-', '-i pipe:0'],
    ['/dev/video0', '-f v4l2 -i /dev/video0'],
    ['file:/dev/video1', '-f v4l2 -i /dev/video1'],
    ['rtsp://host/a', '-re -i rtsp://host/a'],
    ['udp://239.1.1.1:5004', '-i udp://239.1.1.1:5004'],
    ['test:?fps=25&duration=4s', '-re -f lavfi -t 4 -i testsrc2=size=1280x720:rate=25'],
  ])('reads %s as it should be read', (input, expected) => {
    expect(argumentsFor(input)).toContain(expected);
  });
});

describe('MPEG-TS cut into pictures', () => {
  const clip = readFileSync(join(root, 'demo/media/clip.mpegts')).subarray(0, 188 * 6000);
  const info: TsPacketInfo = { pid: 0, pcrUs: -1, randomAccess: false, discontinuity: false };

  function unitsOf(chunkBytes: number): MediaUnit[] {
    const parser = new TsUnitParser(0x100);
    const units: MediaUnit[] = [];
    for (let at = 0; at < clip.length; at += chunkBytes) {
      parser.push(clip.subarray(at, at + chunkBytes), (unit) => units.push(unit));
    }
    parser.end((unit) => units.push(unit));
    return units;
  }

  it('loses no byte, and begins each media frame but the first with a picture', () => {
    const units = unitsOf(1000);
    expect(Buffer.concat(units.map(({ data }) => data)).equals(clip)).toBe(true);
    for (const { data, keyFrame } of units.slice(1)) {
      readTsPacket(data, 0, info);
      expect(info.pid).toBe(0x100);
      expect((data[1] as number) & 0x40).toBe(0x40);
      expect(keyFrame).toBe(info.randomAccess);
    }
    expect(units.filter(({ keyFrame }) => keyFrame).length).toBeGreaterThan(1);
    expect(units.length).toBeGreaterThan(100);
  });

  it('gives the same media frames however the bytes come', () => {
    const one = unitsOf(188 * 7);
    for (const chunkBytes of [187, 189, 65_536, clip.length]) {
      expect(unitsOf(chunkBytes).map(({ data, timestampUs }) => [data.length, timestampUs])).toEqual(
        one.map(({ data, timestampUs }) => [data.length, timestampUs]),
      );
    }
  });

  it('gives each picture its time', () => {
    const times = unitsOf(188 * 7)
      .slice(1)
      .map(({ timestampUs }) => timestampUs as number);
    // B-frames: presentation times are not in order, but each is one of a grid of 30 pictures a second.
    const sorted = [...times].sort((a, b) => a - b);
    const steps = sorted.slice(1).map((time, i) => time - (sorted[i] as number));
    expect(Math.max(...steps.slice(4, -4))).toBeLessThan(40_000);
    expect(Math.min(...steps)).toBeGreaterThan(20_000);
  });

  it('gives what has come of a picture when it is asked to, and the rest is no place to begin', () => {
    const parser = new TsUnitParser(0x100);
    const units: MediaUnit[] = [];
    const [, key] = unitsOf(188 * 7).filter(({ keyFrame }) => keyFrame);
    const { data } = key as MediaUnit;
    parser.push(data.subarray(0, 188 * 3), (unit) => units.push(unit));
    parser.flush((unit) => units.push(unit));
    parser.flush((unit) => units.push(unit));
    parser.push(data.subarray(188 * 3), (unit) => units.push(unit));
    parser.end((unit) => units.push(unit));
    expect(units.map(({ keyFrame }) => keyFrame)).toEqual([true, false]);
    expect(units[0]?.timestampUs).toBe(units[1]?.timestampUs);
    expect(Buffer.concat(units.map((unit) => unit.data)).equals(data)).toBe(true);
  });
});

describe('continuity counters', () => {
  function packet(pid: number, counter: number, hasPayload = true): Uint8Array {
    const bytes = new Uint8Array(188);
    bytes.set([0x47, pid >> 8, pid & 255, (hasPayload ? 0x10 : 0x20) | counter]);
    return bytes;
  }

  it('ascend per PID whatever they were, and stand still for packets without payload', () => {
    const counters = new ContinuityCounters();
    const packets = [packet(256, 9), packet(257, 3), packet(256, 9), packet(256, 9, false), packet(256, 2)];
    const out = packets.map((bytes) => (counters.renumber(bytes)[3] as number) & 15);
    expect(out).toEqual([0, 0, 1, 1, 2]);
    const many = Array.from({ length: 16 }, () => (counters.renumber(packet(256, 0))[3] as number) & 15);
    expect(many.slice(-3)).toEqual([0, 1, 2]);
  });
});
