import { describe, expect, test } from 'vitest';
import { MILLISECOND, SECOND } from '../../src/base/protocol.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import type { SendStream } from '../../src/stream/send.ts';
import { connectPair, feedStream, isConnected, openVideo, readStreams, sendVideo } from '../helpers/calls.ts';
import { collectFrames, makePair, type Pair } from '../helpers/pair.ts';

const CLEAN: LinkOptions = { delayMs: 20, rateBps: 20_000_000 };

function openStream(pair: Pair): SendStream {
  return pair.client.host.call(() => pair.client.connection.streams.open('unidirectional')) as SendStream;
}

describe('damage on the path', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'flipped bits in every third datagram, from the first on, are counted and nothing else (seed %i)',
    (seed) => {
      const bad: LinkOptions = { ...CLEAN, corrupt: { ratio: 0.3, bits: 1 + (seed % 4) } };
      const pair = makePair({ seed, up: bad, down: bad, startBitrateBps: 4_000_000 });
      connectPair(pair, 9000);
      const seen = readStreams(pair);
      const frames = collectFrames(pair, pair.server);
      feedStream(pair, openStream(pair), 100_000);
      sendVideo(pair, openVideo(pair, 500), 30, 5000);
      pair.run(10_000);
      expect(isConnected(pair)).toBe(true);
      expect(seen).toEqual({ bytes: 100_000, isFinished: true });
      for (const { frame } of frames) expect(frame.data.every((byte) => byte === frame.frameId)).toBe(true);
      expect(frames.length).toBeGreaterThan(20);
      const { rejected } = pair.server.connection.state.counters;
      expect(rejected.authentication).toBeGreaterThan(10);
    },
  );

  test('random bytes, cut and repeated datagrams change nothing (seed 4)', () => {
    const pair = makePair({ seed: 4, up: CLEAN, down: CLEAN, startBitrateBps: 4_000_000 });
    const random = pair.sim.random.fork();
    const attack = (datagram: Uint8Array): void => {
      for (const end of [pair.client, pair.server]) {
        const bytes = datagram.slice(0, Math.floor(random.unit() * (datagram.length + 1)));
        if (random.unit() < 0.5 && bytes.length > 0)
          bytes[Math.floor(random.unit() * bytes.length)] = Math.floor(random.unit() * 256);
        end.host.call((now) => end.connection.handleDatagram(bytes, 0, now));
        end.host.call((now) => end.connection.handleDatagram(datagram.slice(), 0, now));
      }
    };
    pair.network.up.addTap((packet) => {
      const copy = (packet.payload as Uint8Array).slice();
      pair.sim.schedule(pair.sim.now + 25 * MILLISECOND, () => attack(copy));
      return true;
    });
    connectPair(pair);
    const frames = collectFrames(pair, pair.server);
    sendVideo(pair, openVideo(pair), 60, 8000);
    pair.run(500);
    expect(isConnected(pair)).toBe(true);
    expect(frames.map(({ frame }) => frame.frameId)).toEqual(Array.from({ length: 60 }, (_, i) => i));
    expect(pair.server.connection.state.counters.rejected.duplicate).toBeGreaterThan(100);
  });
});

describe('datagram size', () => {
  test.each([1, 2, 3, 4])(
    'grows to 1452 under 20 percent loss both ways with nothing misread (seed %i)',
    (seed) => {
      const lossy: LinkOptions = { ...CLEAN, loss: { kind: 'iid', ratio: 0.2 } };
      const pair = makePair({ seed, up: lossy, down: lossy, startBitrateBps: 4_000_000 });
      connectPair(pair, 9000);
      const seen = readStreams(pair);
      feedStream(pair, openStream(pair), 300_000);
      sendVideo(pair, openVideo(pair), 120, 3000);
      pair.run(8000);
      expect(seen).toEqual({ bytes: 300_000, isFinished: true });
      const { state } = pair.client.connection;
      expect(state.path.datagramBytes).toBe(1452);
      expect(state.control.announcedBytes).toBe(1452);
      expect(pair.server.connection.state.peerDatagramBytes).toBe(1452);
      expect(pair.server.connection.state.counters.rejected.authentication).toBe(0);
    },
  );

  test('an announcement that comes late does not undo a newer one', () => {
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN });
    connectPair(pair);
    pair.run(500);
    const held: Uint8Array[] = [];
    let isHolding = true;
    pair.network.up.addTap((packet) => {
      if (isHolding) held.push(packet.payload as Uint8Array);
      return !isHolding;
    });
    const { control } = pair.client.connection.state;
    pair.client.host.call(() => control.announceSize(1300));
    expect(held.length).toBe(1);
    isHolding = false;
    pair.client.host.call(() => control.announceSize(1452));
    pair.run(30);
    const { state } = pair.server.connection;
    const before = state.counters.packetsReceived;
    pair.server.host.call((now) => pair.server.connection.handleDatagram(held[0] as Uint8Array, 0, now));
    expect(state.counters.packetsReceived).toBe(before + 1);
    expect(state.peerDatagramBytes).toBe(1452);
    pair.run(2000);
    expect(control.announcedBytes).toBe(1452);
  });

  test('a black hole for datagrams above 1272 bytes: back to 1200, media and stream go on', () => {
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN, startBitrateBps: 6_000_000 });
    connectPair(pair);
    const frames = collectFrames(pair, pair.server);
    const seen = readStreams(pair);
    const track = openVideo(pair);
    sendVideo(pair, track, 30, 12_000);
    expect(pair.client.connection.state.path.datagramBytes).toBe(1452);
    feedStream(pair, openStream(pair), 3_000_000);
    pair.client.host.call((now) => pair.client.connection.datagrams.send(new Uint8Array(1380), 60e6, now));
    pair.network.up.update({ sizeLimitBytes: 1300 });
    sendVideo(pair, track, 150, 12_000);
    pair.run(1000);
    expect(pair.client.connection.state.path.datagramBytes).toBeLessThanOrEqual(1272);
    const late = frames.filter(({ frame }) => frame.frameId >= 90);
    expect(late.length).toBe(90);
    pair.run(5000);
    expect(seen).toEqual({ bytes: 3_000_000, isFinished: true });
    expect(isConnected(pair)).toBe(true);
  });

  test('an app datagram that fits no packet any more is given up, and those behind it go', () => {
    const slow: LinkOptions = { delayMs: 20, rateBps: 300_000 };
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN });
    connectPair(pair);
    sendVideo(pair, openVideo(pair), 10, 2000);
    pair.run(500);
    expect(pair.client.connection.state.path.datagramBytes).toBe(1452);
    pair.network.up.update({ ...slow, sizeLimitBytes: 1300 });
    pair.client.host.call((now) => {
      for (let i = 0; i < 100; i++)
        pair.client.connection.datagrams.send(new Uint8Array(1390), 60 * SECOND, now);
      for (let i = 0; i < 20; i++)
        pair.client.connection.datagrams.send(new Uint8Array(100).fill(i), 60 * SECOND, now);
    });
    pair.run(20_000);
    expect(pair.client.connection.state.path.datagramBytes).toBeLessThanOrEqual(1272);
    const arrived = pair.server.events.filter(
      (event) => event.type === 'datagram' && event.bytes.length === 100,
    );
    expect(arrived.length).toBe(20);
    expect(pair.client.events.filter((event) => event.type === 'datagram-settled').length).toBe(120);
  });
});

describe('outages', () => {
  test.each([1, 2, 5, 20])(
    'a blackout of %i s: the call survives, media are live again, the stream loses nothing',
    (seconds) => {
      const pair = makePair({ seed: seconds, up: CLEAN, down: CLEAN, startBitrateBps: 4_000_000 });
      connectPair(pair);
      const frames = collectFrames(pair, pair.server);
      const seen = readStreams(pair);
      const track = openVideo(pair);
      sendVideo(pair, track, 30, 6000);
      feedStream(pair, openStream(pair), 6_000_000);
      pair.run(300);
      pair.network.up.blackout(seconds * 1000);
      pair.network.down.blackout(seconds * 1000);
      sendVideo(pair, track, seconds * 30, 6000);
      const backUs = pair.sim.now;
      sendVideo(pair, track, 150, 6000);
      pair.run(seconds * 1000 + 15_000);
      expect(isConnected(pair)).toBe(true);
      expect(seen).toEqual({ bytes: 6_000_000, isFinished: true });
      // At the live edge: within 2 s (probes back off) media of the last 200 ms, and all of the last three seconds.
      const fresh = frames.filter(
        ({ frame, atUs }) => atUs > backUs && atUs - frame.timestampUs < 250 * MILLISECOND,
      );
      expect((fresh[0] as (typeof fresh)[0]).atUs - backUs).toBeLessThan(
        2.5 * SECOND + seconds * 500 * MILLISECOND,
      );
      expect(fresh.length).toBeGreaterThan(60 - seconds);
      expect(
        frames.filter(({ frame, atUs }) => atUs > backUs && atUs - frame.timestampUs > 1 * SECOND).length,
      ).toBe(0);
    },
  );

  test('half of all feedback lost: a stream keeps its rate and media are on time (seed 2)', () => {
    const down: LinkOptions = { ...CLEAN, loss: { kind: 'iid', ratio: 0.5 } };
    const pair = makePair({
      seed: 2,
      up: { ...CLEAN, queue: { ms: 100 } },
      down,
      startBitrateBps: 4_000_000,
    });
    connectPair(pair, 9000);
    const frames = collectFrames(pair, pair.server);
    const seen = readStreams(pair);
    feedStream(pair, openStream(pair), 40_000_000);
    const track = openVideo(pair);
    sendVideo(pair, track, 300, 6000);
    pair.run(300);
    expect(frames.filter(({ frame }) => frame.how !== 'late').length).toBeGreaterThan(295);
    // 20 Mbit/s less 1.5 of media for 10 s are 23 MB; a third of it is the least.
    expect(seen.bytes).toBeGreaterThan(8_000_000);
  });
});
