import { describe, expect, test } from 'vitest';
import { MILLISECOND, SECOND } from '../../src/base/protocol.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import { REFUSED } from '../../src/stream/receive.ts';
import type { SendStream } from '../../src/stream/send.ts';
import type { TrackSender } from '../../src/track/send.ts';
import { connectPair, feedStream, isConnected, openVideo, readStreams, sendVideo } from '../helpers/calls.ts';
import { collectFrames, makePair } from '../helpers/pair.ts';

const CLEAN: LinkOptions = { delayMs: 20, rateBps: 20_000_000 };

describe('key updates in the middle of a call', () => {
  test.each([1, 2, 3, 4])(
    'under loss and reordering, begun by either end or both at once, lose nothing (seed %i)',
    (seed) => {
      const bad: LinkOptions = {
        ...CLEAN,
        loss: { kind: 'iid', ratio: 0.1 },
        reorder: { ratio: 0.1, delayMs: 30 },
      };
      const pair = makePair({ seed, up: bad, down: bad, startBitrateBps: 4_000_000 });
      connectPair(pair, 9000);
      const seen = readStreams(pair);
      const stream = pair.client.host.call(() =>
        pair.client.connection.streams.open('unidirectional'),
      ) as SendStream;
      feedStream(pair, stream, 4_000_000);
      const track = openVideo(pair, 500);
      let begun = 0;
      for (let i = 0; i < 30; i++) {
        const ends = i % 3 === 0 ? [pair.client] : i % 3 === 1 ? [pair.server] : [pair.client, pair.server];
        for (const end of ends) {
          if (end.host.call((now) => end.connection.state.keys?.initiateUpdate(now)) === true) begun++;
        }
        sendVideo(pair, track, 15, 4000);
      }
      pair.run(5000);
      expect(begun).toBeGreaterThan(10);
      const [client, server] = [pair.client, pair.server].map((end) => end.connection.state);
      expect(client?.keys?.updates).toBe(server?.keys?.updates);
      expect(client?.keys?.updates).toBeGreaterThan(8);
      expect(isConnected(pair)).toBe(true);
      expect(seen).toEqual({ bytes: 4_000_000, isFinished: true });
      expect(client?.counters.rejected.authentication).toBe(0);
      expect(server?.counters.rejected.authentication).toBe(0);
    },
  );
});

describe('many at once', () => {
  test('a hundred tracks of different kinds deliver every media frame on time', () => {
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN, startBitrateBps: 15_000_000 });
    connectPair(pair);
    const frames = collectFrames(pair, pair.server);
    const tracks = Array.from(
      { length: 100 },
      (_, i) =>
        pair.client.connection.tracks.openLive({
          kind: i % 2 === 0 ? 'audio' : 'data',
          latencyUs: 200 * MILLISECOND,
          sendOrder: i % 5,
          weight: 1 + (i % 3),
        }) as TrackSender,
    );
    for (let i = 0; i < 50; i++) {
      pair.client.host.call((now) => {
        for (const track of tracks) track.send(new Uint8Array(160).fill(i), { timestampUs: now }, now);
      });
      pair.run(20);
    }
    pair.run(1000);
    expect(frames.length).toBe(5000);
    expect(frames.every(({ frame, atUs }) => atUs - frame.timestampUs < 200 * MILLISECOND)).toBe(true);
    expect(
      pair.client.events.filter((event) => event.type === 'frame-settled' && event.outcome === 'acknowledged')
        .length,
    ).toBe(5000);
  });

  test.each([1, 2, 3, 6])(
    'every app datagram is settled once, and those told acknowledged have arrived, at 20 percent loss (seed %i)',
    (seed) => {
      const lossy: LinkOptions = { ...CLEAN, loss: { kind: 'iid', ratio: 0.2 } };
      const pair = makePair({ seed, up: lossy, down: lossy, startBitrateBps: 4_000_000 });
      connectPair(pair, 9000);
      for (let i = 0; i < 500; i++) {
        pair.client.host.call((now) =>
          pair.client.connection.datagrams.send(Uint8Array.of(i >>> 8, i), SECOND, now),
        );
        pair.run(5);
      }
      pair.run(3000);
      const arrived = new Set(
        pair.server.events.flatMap((event) =>
          event.type === 'datagram' ? [(event.bytes[0] as number) * 256 + (event.bytes[1] as number)] : [],
        ),
      );
      const outcomes = new Map<number, string[]>();
      for (const event of pair.client.events) {
        if (event.type === 'datagram-settled')
          outcomes.set(event.id, [...(outcomes.get(event.id) ?? []), event.outcome]);
      }
      expect(outcomes.size).toBe(500);
      expect(arrived.size).toBeGreaterThan(350);
      expect(arrived.size).toBeLessThan(450);
      for (const [id, list] of outcomes) {
        expect(list.length).toBe(1);
        if (list[0] === 'acknowledged') expect(arrived.has(id)).toBe(true);
      }
    },
  );

  test('app datagrams that cannot leave in time expire, and the newest stay when too many wait', () => {
    const pair = makePair({
      seed: 1,
      up: { delayMs: 20, rateBps: 200_000 },
      down: CLEAN,
      startBitrateBps: 150_000,
    });
    connectPair(pair);
    pair.client.host.call((now) => {
      for (let i = 0; i < 1200; i++) pair.client.connection.datagrams.send(new Uint8Array(1000), SECOND, now);
    });
    pair.run(3000);
    const count = (outcome: string): number =>
      pair.client.events.filter((event) => event.type === 'datagram-settled' && event.outcome === outcome)
        .length;
    expect(count('dropped')).toBe(1200 - Math.floor(1_048_576 / (1000 + 128)));
    expect(count('expired')).toBeGreaterThan(800);
    expect(count('dropped') + count('expired') + count('acknowledged') + count('lost')).toBe(1200);
  });
});

test('a packet that is refused for want of room, and comes twice, delivers its app datagram once', () => {
  const pair = makePair({
    seed: 1,
    up: { delayMs: 20, duplicate: { ratio: 1, delayMs: 1 } },
    down: { delayMs: 20 },
  });
  connectPair(pair);
  const { streams } = pair.server.connection.state;
  let refusals = 0;
  const take = streams.onStreamFrame.bind(streams);
  streams.onStreamFrame = (frame) => (refusals++ < 3 ? REFUSED : take(frame));
  pair.client.host.call((now) => {
    const stream = pair.client.connection.streams.open('unidirectional') as SendStream;
    pair.client.connection.datagrams.send(Uint8Array.of(7), 1e6, now);
    stream.write(new Uint8Array(100));
  });
  pair.run(2000);
  expect(refusals).toBeGreaterThan(3);
  expect(pair.server.events.filter(({ type }) => type === 'datagram').length).toBe(1);
  expect(isConnected(pair)).toBe(true);
});
