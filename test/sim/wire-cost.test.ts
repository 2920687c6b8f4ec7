/** What a clean path costs: docs/wire-format.md §5 shows the sum, this shows that the sum is true. */
import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import { makePair } from '../helpers/pair.ts';

const link: LinkOptions = { delayMs: 30, rateBps: 20_000_000, queue: { ms: 100 } };

/** IP bytes of the media direction / media bytes, 20 s of 4 Mbit/s video at 30 frames per second. */
function wireRatio(datagramBytesMax: number): number {
  const pair = makePair({
    seed: 21,
    up: link,
    down: link,
    startBitrateBps: 4_000_000,
    client: { datagramBytesMax },
  });
  pair.run(2000);
  const { connection, host } = pair.client;
  const track = host.call(() => connection.tracks.openLive({ kind: 'video', latencyUs: 120 * MILLISECOND }));
  const before = host.statistics.sentBytes;
  let media = 0;
  for (let i = 0; i < 600; i++) {
    media += 16_667;
    host.call((now) => track?.send(new Uint8Array(16_667), { timestampUs: i * 33_333 }, now));
    pair.run(33.333);
  }
  pair.run(500);
  expect(track?.statistics.frames.onTime).toBe(600);
  expect(track?.statistics.repairBytes).toBe(0);
  return (host.statistics.sentBytes - before) / media;
}

describe('the wire cost of 4 Mbit/s video on a clean path', () => {
  test('is at most 1.075 with 1200-byte datagrams', () => {
    expect(wireRatio(1200)).toBeLessThanOrEqual(1.075);
  });

  test('is at most 1.06 once 1452 is proven', () => {
    expect(wireRatio(1452)).toBeLessThanOrEqual(1.06);
  });
});
