import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import { collectFrames, makePair } from '../helpers/pair.ts';

const clean: LinkOptions = { delayMs: 20, rateBps: 20_000_000 };

describe('a connection in virtual time', () => {
  test('both ends are connected after one and a half round trips', () => {
    const pair = makePair({ seed: 1, up: clean, down: clean });
    pair.run(45);
    expect(pair.client.events.map((event) => event.type)).toContain('connected');
    pair.run(20);
    expect(pair.server.events.map((event) => event.type)).toContain('connected');
  });

  test('media frames arrive once, in order, with their bytes', () => {
    const pair = makePair({ seed: 2, up: clean, down: clean, startBitrateBps: 4_000_000 });
    pair.run(100);
    const frames = collectFrames(pair, pair.server);
    const track = pair.client.host.call(() =>
      pair.client.connection.tracks.openLive({ kind: 'video', latencyUs: 120 * MILLISECOND }),
    );
    for (let i = 0; i < 90; i++) {
      const data = new Uint8Array(16_667).fill(i);
      pair.client.host.call((now) => track?.send(data, { timestampUs: i * 33_333 }, now));
      pair.run(33.333);
    }
    pair.run(500);
    expect(frames.map(({ frame }) => frame.frameId)).toEqual(Array.from({ length: 90 }, (_, i) => i));
    for (const { frame } of frames) expect(frame.data.every((byte) => byte === frame.frameId)).toBe(true);
  });
});
