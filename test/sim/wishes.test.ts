/** What tracks would send if it were proven, and what trains of probes that wish costs: whole connections in virtual time. */
import { describe, expect, test, vi } from 'vitest';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import type { TrackSender } from '../../src/track/send.ts';
import { connectPair, openVideo } from '../helpers/calls.ts';
import { makePair, type Pair } from '../helpers/pair.ts';

const NARROW: LinkOptions = { delayMs: 20, rateBps: 2_000_000, queue: { ms: 300 } };

function connected(seed: number): Pair {
  const pair = makePair({ seed, up: NARROW, down: NARROW, startBitrateBps: 500_000 });
  connectPair(pair);
  return pair;
}

function wish(pair: Pair, track: TrackSender, bps: number): void {
  const { host, connection } = pair.client;
  host.call(() => connection.wantRate(track, bps));
}

/** A media frame of 800 bytes every 33 ms on each of the tracks; returns the bytes of trains in that time. */
function play(pair: Pair, tracks: readonly TrackSender[], seconds: number): number {
  const { host, connection } = pair.client;
  const { counters } = connection.state;
  const before = counters.probeBytesSent;
  for (let i = 0; i < 30 * seconds; i++) {
    host.call((now) => {
      for (const track of tracks) {
        track.send(new Uint8Array(800), { timestampUs: now, keyFrame: true }, now);
        connection.onMediaQueued(track, now);
      }
    });
    pair.run(33);
  }
  return counters.probeBytesSent - before;
}

describe('the rate that is wished for', () => {
  test.each([1, 2])('is probed for while its track lives, and not after its end (seed %i)', (seed) => {
    const pair = connected(seed);
    const wishing = openVideo(pair);
    const other = openVideo(pair);
    wish(pair, wishing, 20_000_000);
    play(pair, [wishing, other], 20);
    expect(play(pair, [wishing, other], 20)).toBeGreaterThan(0);
    pair.client.host.call(() => pair.client.connection.tracks.end(wishing.id));
    play(pair, [other], 1);
    expect(play(pair, [other], 20)).toBe(0);
  });

  test('is the largest of all tracks: who wants nothing any more silences nobody', () => {
    const pair = connected(3);
    const set = vi.spyOn(pair.client.connection.state.controller, 'setWantedRate');
    const told = (): number => set.mock.lastCall?.[0] ?? 0;
    const a = openVideo(pair);
    const b = openVideo(pair);
    wish(pair, a, 2_000_000);
    const ofA = told();
    expect(ofA).toBeGreaterThan(2_000_000);
    wish(pair, b, 3_000_000);
    expect(told()).toBeCloseTo(1.5 * ofA);
    wish(pair, b, 0);
    expect(told()).toBeCloseTo(ofA);
    wish(pair, a, 0);
    expect(told()).toBe(0);
  });

  test('is forgotten with the last track, however it ended', () => {
    for (const end of ['by its sender', 'by its receiver'] as const) {
      const pair = connected(4);
      const set = vi.spyOn(pair.client.connection.state.controller, 'setWantedRate');
      const track = openVideo(pair);
      wish(pair, track, 20_000_000);
      play(pair, [track], 1);
      const { client, server } = pair;
      if (end === 'by its sender') client.host.call(() => client.connection.tracks.end(track.id));
      else server.host.call(() => server.connection.tracks.stop(track.id, 0));
      pair.run(20_000);
      expect(client.connection.tracks.liveSenders()).toEqual([]);
      expect(set.mock.lastCall).toEqual([0]);
    }
  });
});
