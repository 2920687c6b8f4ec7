/** A caller gets off a path that has gone silent, or that it is asked to leave. RTT 60 ms. */
import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import type { SendStream } from '../../src/stream/send.ts';
import {
  connectPair,
  feedStream,
  has,
  isConnected,
  openVideo,
  readStreams,
  sendVideo,
} from '../helpers/calls.ts';
import { collectFrames, makePair, type Pair } from '../helpers/pair.ts';

const LINK: LinkOptions = { delayMs: 30, rateBps: 20_000_000 };

function natPair(seed: number, link: LinkOptions = LINK): Pair {
  return makePair({ seed, up: link, down: link, nat: {}, startBitrateBps: 4_000_000 });
}

/** Client sockets that are open at the moment. */
function sockets(pair: Pair): number {
  return pair.client.host.pathCount - pair.client.released.length;
}

/** From now on no flow lives longer than 50 ms. */
function forgetFor(pair: Pair, ms: number): void {
  const untilUs = pair.sim.now + ms * MILLISECOND;
  const again = (): void => {
    pair.network.nat?.forget();
    if (pair.sim.now < untilUs) pair.sim.schedule(pair.sim.now + 50 * MILLISECOND, again);
  };
  again();
}

function wishes(pair: Pair): number {
  return pair.client.events.filter(({ type }) => type === 'path-wanted').length;
}

describe('a device that drops every new flow for 5 s', () => {
  test('is tried from fresh ports after 1, 2 and 4 s, never with more than two sockets, until one lives', () => {
    const pair = natPair(1);
    connectPair(pair);
    const frames = collectFrames(pair, pair.server);
    const track = openVideo(pair, 120);
    sendVideo(pair, track, 30, 6000);
    forgetFor(pair, 5000);
    const startUs = pair.sim.now;
    const wishedMs: number[] = [];
    for (let i = 0; i < 9 * 30; i++) {
      const before = wishes(pair);
      sendVideo(pair, track, 1, 6000);
      if (wishes(pair) > before) wishedMs.push((pair.sim.now - startUs) / MILLISECOND);
      expect(sockets(pair)).toBeLessThanOrEqual(2);
    }
    // Times are of the end of the frame interval in which it happened.
    expect(wishedMs.map((ms) => Math.round((ms - (wishedMs[0] as number)) / 500) * 500)).toEqual([
      0, 1000, 3000, 7000,
    ]);
    expect(isConnected(pair)).toBe(true);
    expect(frames.at(-1)?.frame.frameId).toBeGreaterThan(290);
    expect(sockets(pair)).toBe(1);
  });
});

describe('an outage', () => {
  test('that ends before a fresh port is proven leaves the call where it is', () => {
    const pair = natPair(2);
    connectPair(pair);
    const track = openVideo(pair, 120);
    sendVideo(pair, track, 30, 6000);
    // Both sockets are cut off.
    pair.network.up.blackout(600);
    pair.network.down.blackout(600);
    sendVideo(pair, track, 90, 6000);
    pair.run(2000);
    expect(wishes(pair)).toBe(1);
    expect(isConnected(pair)).toBe(true);
    expect(sockets(pair)).toBe(1);
    expect(pair.client.connection.state.paths.migrations).toBe(0);
  });

  test('of 20 s ends neither the call nor a stream, and leaves one socket', () => {
    const pair = natPair(3);
    connectPair(pair);
    const seen = readStreams(pair);
    const stream = pair.client.host.call(() => pair.client.connection.streams.open('unidirectional'));
    feedStream(pair, stream as SendStream, 3_000_000);
    pair.run(300);
    pair.network.up.blackout(20_000);
    pair.network.down.blackout(20_000);
    pair.run(40_000);
    expect(seen).toEqual({ bytes: 3_000_000, isFinished: true });
    expect(sockets(pair)).toBe(1);
  });
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'at 20 percent loss both ways a dropped flow is healed within two seconds (seed %i)',
  (seed) => {
    const pair = natPair(seed, { ...LINK, loss: { kind: 'iid', ratio: 0.2 } });
    connectPair(pair, 9000);
    const frames = collectFrames(pair, pair.server);
    const track = openVideo(pair, 200);
    sendVideo(pair, track, 40, 6000);
    pair.network.nat?.forget();
    const startUs = pair.sim.now;
    sendVideo(pair, track, 90, 6000);
    const healed = frames.find(({ frame, atUs }) => atUs > startUs && frame.frameId > 42);
    expect(((healed?.atUs ?? Number.POSITIVE_INFINITY) - startUs) / MILLISECOND).toBeLessThan(2000);
  },
);

describe('migrate', () => {
  test('moves a working call to a fresh port without a frame lost', () => {
    const pair = natPair(4);
    connectPair(pair);
    const frames = collectFrames(pair, pair.server);
    const track = openVideo(pair, 120);
    sendVideo(pair, track, 30, 6000);
    pair.client.host.call((now) => pair.client.connection.migrate(now));
    sendVideo(pair, track, 60, 6000);
    pair.run(2000);
    expect(has(pair.client, 'path-changed')).toBe(true);
    expect(frames.filter(({ frame }) => frame.how !== 'late').length).toBe(90);
    expect(pair.client.connection.state.paths.migrations).toBe(1);
    expect(pair.client.released).toEqual([0]);
    expect(pair.server.connection.state.paths.migrations).toBe(1);
  });

  test('takes connection IDs that were not used before, and gives the old ones back', () => {
    const pair = natPair(5);
    connectPair(pair);
    const used = new Set<string>();
    const note = (packet: { payload: unknown }): boolean => {
      const bytes = packet.payload as Uint8Array;
      if (((bytes[0] as number) & 0x80) === 0) used.add(`${bytes.subarray(1, 9)}`);
      return true;
    };
    pair.network.up.addTap(note);
    const track = openVideo(pair, 120);
    for (let i = 0; i < 6; i++) {
      sendVideo(pair, track, 20, 3000);
      pair.client.host.call((now) => pair.client.connection.migrate(now));
      pair.run(1500);
    }
    expect(pair.client.connection.state.paths.migrations).toBe(6);
    expect(used.size).toBe(7);
  });

  test('is not for the end that was called', () => {
    const pair = natPair(6);
    connectPair(pair);
    pair.server.host.call((now) => pair.server.connection.migrate(now));
    pair.run(500);
    expect(has(pair.server, 'path-wanted')).toBe(false);
  });
});

test('an idle viewer says something every 15 s, and notices a dropped flow then', () => {
  const pair = natPair(7);
  connectPair(pair);
  pair.run(20_000);
  pair.network.nat?.forget();
  pair.run(17_000);
  expect(pair.client.connection.state.paths.migrations).toBe(1);
  pair.run(100_000);
  expect(isConnected(pair)).toBe(true);
});
