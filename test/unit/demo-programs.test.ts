/** The parts that the demo's programs share: their messages, what TCP tells its encoder, the clip without an end. */
import { EventEmitter } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { clipFrames } from '../../demo/clip.ts';
import { type Chunk, decodeChunk, encodeChunk, parseMessage } from '../../demo/media-protocol.ts';
import { MediaSocket } from '../../demo/media-socket.ts';
import { ClipLoop, TICKS_PER_SECOND } from '../../demo/server/clip-loop.ts';
import { TcpEncoderControl } from '../../demo/tcp/encoder-control.ts';
import { EncoderGuide } from '../../demo/tcp/encoder-guide.ts';
import { FrameReader, frameChunk, frameMessage } from '../../demo/tcp/framing.ts';
import { TsParser } from '../../src/cli/framing-ts.ts';

const chunk: Chunk = {
  track: 3,
  keyFrame: true,
  discardable: false,
  skipped: 2,
  durationUs: 33_333,
  timestampUs: 2 ** 41 + 5,
  data: Uint8Array.of(1, 2, 3),
};

describe('media messages', () => {
  it('a chunk comes out as it went in', () => {
    expect(decodeChunk(encodeChunk(chunk))).toEqual(chunk);
  });

  it.each(['', '{', '[]', '{"type":"track"}', '{"type":"bitrate","track":-1}', '{"type":"none"}', 'null'])(
    'takes %j for no message',
    (text) => {
      expect(parseMessage(text)).toBeUndefined();
    },
  );

  it('a chunk that is too short, or of no time, is none', () => {
    expect(decodeChunk(new Uint8Array(15))).toBeUndefined();
    expect(decodeChunk(new Uint8Array(16).fill(0xff))).toBeUndefined();
  });

  it('cross a TCP connection in pieces of any size', () => {
    for (let size = 1; size < 40; size++) {
      const reader = new FrameReader();
      const got: unknown[] = [];
      reader.onChunk = (value) => got.push({ ...value, data: new Uint8Array(value.data) });
      reader.onMessage = (value) => got.push(value);
      const stream = Buffer.concat([
        frameChunk(chunk),
        frameMessage({ type: 'keyframe', track: 3 }),
        frameChunk(chunk),
      ]);
      for (let at = 0; at < stream.length; at += size) {
        expect(reader.push(stream.subarray(at, at + size))).toBe(true);
      }
      expect(got).toEqual([chunk, { type: 'keyframe', track: 3 }, chunk]);
    }
  });

  it('a length that nobody sends ends the connection', () => {
    expect(new FrameReader().push(Buffer.from('GET / HTTP/1.1\r\n'))).toBe(false);
  });
});

describe('an encoder', () => {
  it('that another has replaced is not heard any more', () => {
    const socket = Object.assign(new EventEmitter(), { close: () => {}, terminate: () => {} });
    const encoder = new MediaSocket(socket as unknown as WebSocket);
    const [onMessage, onChunk] = [vi.fn(), vi.fn()];
    Object.assign(encoder, { onMessage, onChunk });
    const speak = (): void => {
      socket.emit('message', Buffer.from('{"type":"keyframe","track":1}'), false);
      socket.emit('message', Buffer.from(encodeChunk(chunk)), true);
    };
    speak();
    encoder.replace();
    speak();
    expect([onMessage.mock.calls.length, onChunk.mock.calls.length]).toEqual([1, 1]);
  });
});

describe('what TCP tells its encoder', () => {
  /** Feeds a path that carries `pathBps`; the encoder makes what it is told. */
  function run(control: TcpEncoderControl, pathBps: number, seconds: number): void {
    let [queuedBytes, sentBytes, behindMs] = [0, 0, 0];
    for (let nowMs = 0; nowMs <= seconds * 1_000; nowMs += 50) {
      if (!control.isBehind) queuedBytes += control.bitsPerSecond / 8 / 20;
      const leaves = Math.min(queuedBytes, pathBps / 8 / 20);
      queuedBytes -= leaves;
      sentBytes += leaves;
      behindMs = (queuedBytes * 8_000) / pathBps;
      control.update(nowMs, sentBytes, behindMs);
    }
  }

  it('grows to its bound on a path that carries more', () => {
    const control = new TcpEncoderControl(1e6, 2.5e6);
    run(control, 20e6, 20);
    expect(control.bitsPerSecond).toBe(2.5e6);
    expect(control.isBehind).toBe(false);
  });

  it('follows a path that carries less', () => {
    const control = new TcpEncoderControl(1e6, 2.5e6);
    run(control, 400_000, 30);
    expect(control.bitsPerSecond).toBeGreaterThan(200_000);
    expect(control.bitsPerSecond).toBeLessThan(500_000);
  });

  it('asks for a pause while the oldest unsent byte is older than 200 ms', () => {
    const control = new TcpEncoderControl(1e6, 2.5e6);
    control.update(0, 0, 199);
    expect(control.isBehind).toBe(false);
    control.update(50, 0, 201);
    expect(control.isBehind).toBe(true);
    control.update(100, 0, 10);
    expect(control.isBehind).toBe(false);
  });
});

it('the clip goes on for ever: clocks and continuity counters do not jump between rounds', () => {
  const loop = new ClipLoop(10);
  const clocksUs: number[] = [];
  const counters = new Map<number, number>();
  const parser = new TsParser(() => 188);
  for (let round = 0; round < 3; round++) {
    for (const { data } of clipFrames()) {
      const packets = loop.rewrite(data);
      for (let at = 0; at < packets.length; at += 188) {
        const [, high = 0, low = 0, flags = 0] = packets.subarray(at);
        const pid = ((high & 0x1f) << 8) | low;
        if ((flags & 0x10) === 0 || pid === 0x1fff) continue;
        const before = counters.get(pid);
        if (before !== undefined) expect(flags & 0xf).toBe((before + 1) & 0xf);
        counters.set(pid, flags & 0xf);
      }
      parser.push(packets, ({ timestampUs }) => {
        if (timestampUs !== undefined) clocksUs.push(timestampUs);
      });
    }
    loop.nextRound();
  }
  const steps = clocksUs.slice(1).map((atUs, i) => atUs - (clocksUs[i] as number));
  expect(Math.min(...steps)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...steps)).toBeLessThan(100_000);
  expect((clocksUs.at(-1) ?? 0) - (clocksUs[0] ?? 0)).toBeGreaterThan(29e6);
  expect(TICKS_PER_SECOND).toBe(90_000);
});

it('a new encoder is told to go on, also when the one before was told to pause', () => {
  const told: unknown[] = [];
  const encoder = { send: (message: unknown) => told.push(message) };
  const guide = new EncoderGuide(2.5e6);
  guide.useEncoder(encoder);
  guide.update(0, 0, 500, false);
  expect(told).toContainEqual({ type: 'behind', isBehind: true });
  guide.tellAgain();
  told.length = 0;
  guide.update(50, 0, 0, false);
  expect(told).toContainEqual({ type: 'behind', isBehind: false });
});
