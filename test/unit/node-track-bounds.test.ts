/** What tracks hold, for how long, and how much a peer can make them hold: above two cores in virtual time. */
import { describe, expect, it } from 'vitest';
import type { IncomingTrack } from '../../src/node/incoming-track.ts';
import type { OutgoingTrack, SentFrame } from '../../src/node/outgoing-track.ts';
import { INCOMING_TRACKS_MAX, type TrackOptions } from '../../src/node/tracks.ts';
import { TRACKS_MAX } from '../../src/track/limits.ts';
import { type LibraryPair, libraryPair } from '../helpers/library-pair.ts';
import { longestShift } from '../helpers/longest-shift.ts';
import { bytesInUse } from '../helpers/memory.ts';

const RELIABLE: TrackOptions = { kind: 'data', latency: Number.POSITIVE_INFINITY };
const LIVE: TrackOptions = { kind: 'data', latency: 20 };

async function taken({ server }: LibraryPair): Promise<IncomingTrack> {
  return (await server.tracks.incoming[Symbol.asyncIterator]().next()).value;
}

/** What happens to one track with one media frame. */
type Life = (track: OutgoingTrack, link: LibraryPair) => Promise<void>;

async function readToItsEnd(track: OutgoingTrack, link: LibraryPair): Promise<void> {
  const ended = track.end();
  for await (const _ of await taken(link));
  await ended;
}

async function stoppedByReader(_: OutgoingTrack, link: LibraryPair): Promise<void> {
  for await (const _ of await taken(link)) break;
}

const LIVES: readonly (readonly [string, TrackOptions, Life])[] = [
  ['reliable track that was read to its end', RELIABLE, readToItsEnd],
  ['reliable track whose receiver left the loop', RELIABLE, stoppedByReader],
  ['live track that was read to its end', LIVE, readToItsEnd],
  ['live track whose receiver left the loop', LIVE, stoppedByReader],
];

describe('a track that is over', () => {
  const BATCH = 25;

  async function batch(link: LibraryPair, options: TrackOptions, life: Life): Promise<void> {
    const lives = Array.from({ length: BATCH }, () => {
      const track = link.client.tracks.create(options);
      track.send(new Uint8Array(10));
      return life(track, link);
    });
    await link.run(100);
    await Promise.all(lives);
    await link.run(50);
  }

  it.each(LIVES)('leaves nothing behind: a %s', async (_, options, life) => {
    const link = libraryPair(1);
    for (let i = 0; i < 4; i++) await batch(link, options, life);
    const before = bytesInUse();
    for (let i = 0; i < 12; i++) await batch(link, options, life);
    // Code that is compiled meanwhile, on a busy machine, is half a MB in all.
    expect((bytesInUse() - before) / (12 * BATCH)).toBeLessThan(2_500);
  });
});

describe('tracks that nobody takes', () => {
  it('are stopped, the oldest first, beyond as many as may be open', async () => {
    const link = libraryPair(2);
    const extra = 26;
    for (let made = 0; made < INCOMING_TRACKS_MAX + extra; ) {
      for (let i = 0; i < 50 && made < INCOMING_TRACKS_MAX + extra; i++, made++) {
        const track = link.client.tracks.create(LIVE);
        track.send(new Uint8Array(10));
        void track.end();
      }
      await link.run(80);
    }
    expect(link.pair.server.connection.isOpen).toBe(true);
    expect((await taken(link)).id).toBe(extra * 2);
  });
});

describe('createTrack', () => {
  it('opens no stream for a reliable track that the peer does not take', () => {
    const link = libraryPair(3);
    for (let i = 0; i < TRACKS_MAX; i++) link.client.tracks.create(LIVE);
    expect(() => link.client.tracks.create(RELIABLE)).toThrow(/takes no more tracks/);
    expect(link.pair.client.connection.streams.count).toBe(0);
  });

  it('throws for a kind that there is not, and opens nothing', () => {
    const link = libraryPair(4);
    expect(() => link.client.tracks.create({ ...RELIABLE, kind: 'text' as 'data' })).toThrow(TypeError);
    expect(link.pair.client.connection.streams.count).toBe(0);
  });
});

describe('an outgoing track', () => {
  it('drops what is sent once the core has ended it, before and while its end is told', async () => {
    const link = libraryPair(8);
    const track = link.client.tracks.create(LIVE);
    track.send(new Uint8Array(1));
    await link.run(20);
    const inside: SentFrame[] = [];
    track.addEventListener('stopped', () => inside.push(track.send(new Uint8Array(1))));
    (await taken(link)).stop();
    await link.run(20);
    expect(await Promise.all(inside.map((frame) => frame.settled))).toEqual(['dropped']);
    const other = link.client.tracks.create(LIVE);
    other.send(new Uint8Array(1));
    link.pair.client.host.call((now) => link.pair.client.connection.close(true, 0, '', now));
    const late = [other.send(new Uint8Array(1)), other.send(new Uint8Array(1))];
    expect(late.map(({ frameId }) => frameId)).toEqual([1, 2]);
    expect(await Promise.all(late.map((frame) => frame.settled))).toEqual(['dropped', 'dropped']);
  });
});

describe('an incoming track', () => {
  it.each([
    ['live', LIVE],
    ['reliable', RELIABLE],
  ] as const)(
    'that is %s tells a listener to `readable` of what came before it listened, and of what comes then',
    async (_, options) => {
      const link = libraryPair(9);
      const track = link.client.tracks.create(options);
      const ids: number[] = [];
      track.send(new Uint8Array(1));
      await link.run(20);
      const incoming = await taken(link);
      incoming.addEventListener('readable', () => {
        for (let frame = incoming.read(); frame !== undefined; frame = incoming.read())
          ids.push(frame.frameId);
      });
      for (let i = 0; i < 3; i++) {
        track.send(new Uint8Array(1));
        await link.run(20);
      }
      expect(ids).toEqual([0, 1, 2, 3]);
    },
  );

  it('gives each of several calls of next() a media frame of its own', async () => {
    const link = libraryPair(5);
    const track = link.client.tracks.create(LIVE);
    track.send(new Uint8Array(1));
    await link.run(20);
    const frames = (await taken(link))[Symbol.asyncIterator]();
    const calls = [frames.next(), frames.next(), frames.next(), frames.next()];
    for (let i = 0; i < 2; i++) {
      track.send(new Uint8Array(1));
      await link.run(20);
    }
    const ids = (await Promise.all(calls.slice(0, 3))).map(({ value }) => value.frameId);
    expect(ids).toEqual([0, 1, 2]);
    void track.end();
    await link.run(100);
    expect(await calls[3]).toEqual({ value: undefined, done: true });
  });

  it('that is reliable reads so many empty media frames ahead and no more, and never moves what waits', async () => {
    const link = libraryPair(6);
    const track = link.client.tracks.create(RELIABLE);
    const sent = 60_000;
    let got = 0;
    const longest = await longestShift(async () => {
      for (let i = 0; i < sent; i++) track.send(new Uint8Array(0), { timestamp: 0 });
      void track.end();
      await link.run(300);
      const incoming = await taken(link);
      if (incoming.read() !== undefined) got++;
      expect(link.pair.server.connection.streams.waitingBytes).toBeGreaterThan(0);
      while (incoming.read() !== undefined) got++;
    });
    expect(got).toBe(sent);
    expect(longest).toBeLessThan(1000);
  });

  it('throws for a code that is none', async () => {
    const link = libraryPair(7);
    link.client.tracks.create(LIVE).send(new Uint8Array(1));
    await link.run(20);
    const incoming = await taken(link);
    expect(() => incoming.stop(-1)).toThrow(RangeError);
  });
});

describe('options of a track that do not exist', () => {
  it.each([
    ['kind', 'film', "kind is 'video', 'audio' or 'data', not film"],
    ['delivery', 'soon', "delivery is 'asap' or 'timed', not soon"],
    ['order', '', "order is 'send' or 'none', not "],
    ['metadata', ['vp8'], 'metadata is an object of names and values'],
    ['metadata', 'vp8', 'metadata is an object of names and values'],
  ])('%s: %o is told', (name, value, text) => {
    const { tracks } = libraryPair(8).client;
    expect(() => tracks.create({ [name]: value })).toThrow(new TypeError(text));
  });
});
