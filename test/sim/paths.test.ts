import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { ConnectionState } from '../../src/connection/state.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import type { NatSpec } from '../../src/sim/nat.ts';
import { CLIENT_ADDRESS } from '../../src/sim/network.ts';
import type { SendStream } from '../../src/stream/send.ts';
import type { TrackSender } from '../../src/track/send.ts';
import { connectPair, feedStream, isConnected, readStreams } from '../helpers/calls.ts';
import { collectFrames, type End, makePair, type Pair } from '../helpers/pair.ts';

/** RTT 60 ms. */
const LINK: LinkOptions = { delayMs: 30, rateBps: 20_000_000 };
const LATENCY_MS = 120;

function natPair(seed: number, nat: NatSpec, link: LinkOptions = LINK): Pair {
  return makePair({ seed, up: link, down: link, nat, startBitrateBps: 4_000_000 });
}

/** A live track from either end to the other. */
function openFrom(end: End): TrackSender {
  return end.host.call(() =>
    end.connection.tracks.openLive({ kind: 'video', latencyUs: LATENCY_MS * MILLISECOND }),
  ) as TrackSender;
}

/** Media at 30 frames a second from `end`, as long as asked. */
function stream(pair: Pair, end: End, track: TrackSender, count: number, bytes: number): void {
  for (let i = 0; i < count; i++) {
    end.host.call((now) => {
      track.send(new Uint8Array(bytes).fill(i), { timestampUs: now }, now);
      end.connection.onMediaQueued(track, now);
    });
    pair.run(33.333);
  }
}

/** Another host, where nobody reads. */
const ELSEWHERE = 77 * 65_536 + 1234;

/** For so long a copy of whatever the client sends is at the server first, from elsewhere. */
function copyAhead(pair: Pair, forMs: number): void {
  const untilUs = pair.sim.now + forMs * MILLISECOND;
  pair.network.up.addTap((packet) => {
    if (pair.sim.now > untilUs) return true;
    const copy = (packet.payload as Uint8Array).slice();
    pair.sim.schedule(pair.sim.now + 5 * MILLISECOND, () =>
      pair.server.host.receive(copy, copy.length + 28, ELSEWHERE),
    );
    return true;
  });
}

/** The longest time between two media frames that could be read, ms. */
function longestGapMs(frames: readonly { atUs: number }[]): number {
  let longest = 0;
  for (let i = 1; i < frames.length; i++) {
    longest = Math.max(
      longest,
      (frames[i] as { atUs: number }).atUs - (frames[i - 1] as { atUs: number }).atUs,
    );
  }
  return longest / MILLISECOND;
}

describe('a NAT that gives the flow another port', () => {
  test.each(['client', 'server'] as const)(
    'costs no frame of media from the %s at RTT 60 ms and latency 120 ms, at 32 instants of the frame interval',
    (name) => {
      const missing: string[] = [];
      for (let i = 0; i < 32; i++) {
        const pair = natPair(i, {});
        connectPair(pair);
        const from = pair[name];
        const to = name === 'client' ? pair.server : pair.client;
        const frames = collectFrames(pair, to);
        const track = openFrom(from);
        stream(pair, from, track, 40, 8000);
        pair.sim.schedule(pair.sim.now + i * 1040 + 1, () => pair.network.nat?.rebind('port'));
        stream(pair, from, track, 60, 8000);
        pair.run(500);
        const onTime = frames.filter(({ frame }) => frame.how !== 'late').length;
        const { active, migrations } = pair.server.connection.state.paths;
        if (onTime !== 100 || migrations !== 1 || !active.isValidated) missing.push(`${i}: ${onTime}`);
      }
      expect(missing).toEqual([]);
    },
  );

  test.each(['port', 'address'] as const)(
    '(another %s) in the middle of the handshake, at each of 40 instants, is harmless',
    (changes) => {
      const slow: number[] = [];
      for (let atMs = 1; atMs <= 118; atMs += 3) {
        const pair = natPair(atMs, {});
        pair.sim.schedule(pair.sim.now + atMs * MILLISECOND, () => pair.network.nat?.rebind(changes));
        pair.run(900);
        if (!isConnected(pair) || pair.server.connection.state.handshake !== undefined) slow.push(atMs);
      }
      expect(slow).toEqual([]);
    },
  );

  test('keeps rate and round-trip time: only the port differs', () => {
    const pair = natPair(1, {});
    connectPair(pair);
    const track = openFrom(pair.server);
    stream(pair, pair.server, track, 60, 12_000);
    const { controller, rtt } = pair.server.connection.state;
    const before = { bps: controller.capacityBps, minUs: rtt.minUs };
    pair.network.nat?.rebind('port');
    stream(pair, pair.server, track, 15, 12_000);
    expect(pair.server.connection.state.paths.migrations).toBe(1);
    expect(controller.capacityBps).toBeGreaterThan(0.7 * before.bps);
    expect(rtt.minUs).toBe(before.minUs);
  });

  test.each(['port', 'address'] as const)(
    'every 5 s from the first second on (another %s): a stream of 10 MB arrives whole, either way of the call alive',
    (changes) => {
      const pair = natPair(2, { rebindEveryMs: 5000, firstRebindMs: 1000, changes });
      connectPair(pair);
      const seen = readStreams(pair);
      const stream = pair.client.host.call(() => pair.client.connection.streams.open('unidirectional'));
      feedStream(pair, stream as SendStream, 10_000_000);
      pair.run(30_000);
      expect(seen).toEqual({ bytes: 10_000_000, isFinished: true });
      expect(isConnected(pair)).toBe(true);
      expect(pair.server.connection.state.paths.migrations).toBeGreaterThan(1);
      expect(pair.server.connection.state.paths.active.isValidated).toBe(true);
    },
  );
});

describe('a peer at another address', () => {
  test('gets at most three times what it sent there until it has answered a challenge', () => {
    const pair = natPair(3, {});
    connectPair(pair);
    const track = openFrom(pair.server);
    stream(pair, pair.server, track, 60, 12_000);
    const { paths } = pair.server.connection.state;
    const before = pair.network.nat?.outerOf(CLIENT_ADDRESS);
    let worst = 0;
    let sent = 0;
    pair.network.down.addTap((packet) => {
      if (packet.address === before || paths.active.isValidated) return true;
      sent += (packet.payload as Uint8Array).length;
      worst = Math.max(worst, sent / paths.active.bytesReceived);
      return true;
    });
    pair.network.nat?.rebind('address');
    stream(pair, pair.server, track, 60, 12_000);
    expect(paths.migrations).toBe(1);
    expect(paths.active.isValidated).toBe(true);
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThanOrEqual(3);
  });

  /** Media from either end while the client moves to an address 100 ms of round trip farther away; the server's state. */
  function moveFarther(seed: number, name: 'client' | 'server'): ConnectionState {
    const pair = natPair(seed, {});
    connectPair(pair);
    const track = openFrom(pair[name]);
    stream(pair, pair[name], track, 60, 6000);
    pair.network.up.update({ delayMs: 80 });
    pair.network.down.update({ delayMs: 80 });
    pair.network.nat?.rebind('address');
    stream(pair, pair[name], track, 30, 6000);
    const { state } = pair.server.connection;
    expect(state.paths.active.isValidated).toBe(true);
    return state;
  }

  test('begins with a rate and a round-trip time of its own once it is proven', () => {
    expect(moveFarther(4, 'client').rtt.minUs).toBeGreaterThan(150 * MILLISECOND);
  });

  test('has delays of its own: that it is farther away is no queue, and loss there counts for redundancy', () => {
    expect(moveFarther(6, 'server').redundancy.model.isQueueing).toBe(false);
  });

  test('whoever copies packets to the server from elsewhere, faster than the path, has the flow until the packet itself comes, once', () => {
    const pair = natPair(5, {});
    connectPair(pair);
    const frames = collectFrames(pair, pair.client);
    const track = openFrom(pair.server);
    stream(pair, pair.server, track, 30, 6000);
    // For half a second the copy is there first, from another host; answers to it lead nowhere.
    copyAhead(pair, 500);
    stream(pair, pair.server, track, 60, 6000);
    pair.run(500);
    expect(isConnected(pair)).toBe(true);
    const { paths } = pair.server.connection.state;
    // There and back.
    expect(paths.migrations).toBe(2);
    expect(paths.active.isValidated).toBe(true);
    // What was sent to nowhere in 25 ms is sent again.
    expect(frames.length).toBe(90);
  });
});

describe('a device that silently drops the flow', () => {
  test.each(['client', 'server'] as const)(
    'stops media from the %s for less than a second, at RTT 60 ms, at eight instants',
    (name) => {
      const gaps: number[] = [];
      for (let i = 0; i < 8; i++) {
        const pair = natPair(i, {});
        connectPair(pair);
        const from = pair[name];
        const frames = collectFrames(pair, name === 'client' ? pair.server : pair.client);
        const track = openFrom(from);
        stream(pair, from, track, 40, 8000);
        pair.sim.schedule(pair.sim.now + i * 4170 + 1, () => pair.network.nat?.forget());
        stream(pair, from, track, 90, 8000);
        pair.run(500);
        expect(isConnected(pair)).toBe(true);
        expect(pair.client.connection.state.paths.migrations).toBe(1);
        expect(pair.client.released).toEqual([0]);
        gaps.push(longestGapMs(frames));
      }
      expect(Math.max(...gaps)).toBeLessThan(1000);
    },
  );
});
