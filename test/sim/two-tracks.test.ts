/** No head-of-line blocking: what one track loses costs another nothing (DESIGN D3). */
import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import { makePair } from '../helpers/pair.ts';

const SEED = 11;
const FRAMES = 600;
const FIRST = 0xaa;
const SECOND = 0xbb;
const link: LinkOptions = { delayMs: 30, rateBps: 50_000_000 };

/** True when the packet carries media of a track that fills its frames with `mark`. Stand-in keys leave it readable. */
function carries(datagram: Uint8Array, mark: number): boolean {
  let run = 0;
  for (const byte of datagram) {
    run = byte === mark ? run + 1 : 0;
    if (run === 32) return true;
  }
  return false;
}

/** p99 of the second track's frame latency, us, with that much loss on packets that carry only the first. */
function secondTrackP99(lossRatio: number): { p99Us: number; received: number; dropped: number } {
  const pair = makePair({ seed: SEED, up: link, down: link, startBitrateBps: 12_000_000 });
  const random = new SeededRandom(SEED);
  let dropped = 0;
  pair.network.up.addTap((packet) => {
    const datagram = packet.payload as Uint8Array;
    if (!carries(datagram, FIRST) || carries(datagram, SECOND) || random.unit() >= lossRatio) return true;
    dropped++;
    return false;
  });
  pair.run(300);
  const { connection, host } = pair.client;
  const [first, second] = host.call(() => [
    connection.tracks.openLive({ kind: 'video', latencyUs: 120 * MILLISECOND }),
    connection.tracks.openLive({ kind: 'audio', latencyUs: 120 * MILLISECOND, sendOrder: 10 }),
  ]);
  const sentAtUs: number[] = [];
  const latencies: number[] = [];
  pair.server.onEvent = (event, now) => {
    if (event.type !== 'track-readable' || event.trackId !== second?.id) return;
    const receiver = pair.server.connection.tracks.receiver(event.trackId);
    for (let frame = receiver?.poll(); frame !== undefined; frame = receiver?.poll()) {
      latencies.push(now - (sentAtUs[frame.frameId] as number));
    }
  };
  for (let i = 0; i < FRAMES; i++) {
    // The second track's media leave a little before the first's, as audio does.
    sentAtUs.push(pair.sim.now);
    host.call((now) => second?.send(new Uint8Array(400).fill(SECOND), { timestampUs: i * 20_000 }, now));
    pair.run(5);
    host.call((now) => {
      first?.send(new Uint8Array(9_000).fill(FIRST), { timestampUs: i * 20_000 }, now);
      if (first !== undefined) connection.onMediaQueued(first, now);
    });
    pair.run(15);
  }
  pair.run(1000);
  latencies.sort((a, b) => a - b);
  return {
    p99Us: latencies[Math.floor(latencies.length * 0.99)] as number,
    received: latencies.length,
    dropped,
  };
}

describe('two tracks', () => {
  test(`30 % loss on packets of the first leave the second's p99 latency within 1 ms (seed ${SEED})`, () => {
    const clean = secondTrackP99(0);
    const lossy = secondTrackP99(0.3);
    expect(clean.received).toBe(FRAMES);
    expect(lossy.received).toBe(FRAMES);
    expect(lossy.dropped).toBeGreaterThan(FRAMES);
    expect(Math.abs(lossy.p99Us - clean.p99Us)).toBeLessThanOrEqual(MILLISECOND);
  });
});
