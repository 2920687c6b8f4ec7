/** Reliable tracks one after another: each makes room for the next, however it ends. */
import { expect, test } from 'vitest';
import { listenTo } from '../../src/lab/pair.ts';
import type { SendStream } from '../../src/stream/send.ts';
import { TRACKS_MAX } from '../../src/track/limits.ts';
import type { ReliableTrackOptions } from '../../src/track/set-options.ts';
import { connectPair } from '../helpers/calls.ts';
import { makePair, type Pair } from '../helpers/pair.ts';

const BATCH = 50;
const TRACKS = TRACKS_MAX + 76;

function connected(): Pair {
  const pair = makePair({ seed: 1, up: { delayMs: 5 }, down: { delayMs: 5 }, startBitrateBps: 20_000_000 });
  connectPair(pair);
  return pair;
}

/** Opens one with a few bytes; undefined: the peer takes no more. */
function openTrack(pair: Pair): SendStream | undefined {
  const { connection, host } = pair.client;
  return host.call(() => {
    const stream = connection.streams.open('track');
    if (stream === undefined) return undefined;
    const options: ReliableTrackOptions = { kind: 'data', streamId: stream.id };
    if (connection.tracks.openReliable(options) === undefined) return undefined;
    stream.write(new Uint8Array(20));
    return stream;
  });
}

/** Opens so many, a batch at a time, and does `act` with each. Gives how many could be opened. */
function openMany(pair: Pair, act: (stream: SendStream) => void): number {
  let opened = 0;
  while (opened < TRACKS) {
    const streams: SendStream[] = [];
    for (let i = 0; i < BATCH; i++) {
      const stream = openTrack(pair);
      if (stream === undefined) return opened;
      streams.push(stream);
      opened++;
    }
    pair.run(10);
    for (const stream of streams) pair.client.host.call(() => act(stream));
    pair.run(100);
  }
  return opened;
}

/** What the server does with the stream of each track as something comes on it. */
function onData(pair: Pair, act: (streamId: number) => void): void {
  listenTo(pair.server, (event) => {
    if (event.type === 'stream-readable') act(event.streamId);
  });
}

function expectAllEnded({ client, server }: Pair): void {
  expect(client.connection.isOpen && server.connection.isOpen).toBe(true);
  expect(client.events.filter(({ type }) => type === 'track-settled')).toHaveLength(TRACKS);
}

test('more reliable tracks than the limit, read to their ends one after another, leave the connection open', () => {
  const pair = connected();
  onData(pair, (id) => {
    const stream = pair.server.connection.streams.get(id)?.receive;
    while (stream?.read() !== undefined);
  });
  expect(openMany(pair, (stream) => stream.finish())).toBe(TRACKS);
  expectAllEnded(pair);
  expect(pair.server.events.filter(({ type }) => type === 'stream-ended')).toHaveLength(TRACKS);
});

test('a receiver that leaves ended tracks unread for long does not lose the connection', () => {
  const pair = connected();
  expect(openMany(pair, (stream) => stream.finish())).toBe(TRACKS);
  expectAllEnded(pair);
});

test('a track that its receiver stops makes room for another', () => {
  const pair = connected();
  onData(pair, (id) => pair.server.connection.streams.get(id)?.receive?.stop(7));
  expect(openMany(pair, () => {})).toBe(TRACKS);
  expectAllEnded(pair);
});

test('a track whose stream its sender resets makes room for another', () => {
  const pair = connected();
  expect(openMany(pair, (stream) => stream.reset(7))).toBe(TRACKS);
  expectAllEnded(pair);
});
