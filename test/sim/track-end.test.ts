/** The end of a live track, as an application sees it that looks its receiver up with every event. */
import { expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { TrackSender } from '../../src/track/send.ts';
import { connectPair, sendVideo } from '../helpers/calls.ts';
import { collectFrames, makePair } from '../helpers/pair.ts';

test('the last media frame, played out as the track ends, is there, and then the track is forgotten', () => {
  const pair = makePair({ seed: 1, up: { delayMs: 20 }, down: { delayMs: 20 }, startBitrateBps: 2_000_000 });
  connectPair(pair);
  const frames = collectFrames(pair, pair.server);
  const { connection, host } = pair.client;
  const options = { kind: 'video', latencyUs: 500 * MILLISECOND, delivery: 'timed' } as const;
  const track = host.call(() => connection.tracks.openLive(options)) as TrackSender;
  sendVideo(pair, track, 10, 2_000);
  host.call(() => connection.tracks.end(track.id));
  pair.run(2_000);
  expect(frames.map(({ frame }) => frame.frameId)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(pair.server.connection.tracks.receiver(track.id)).toBeUndefined();
});

test('what a timed track holds as its sender closes the connection can be read', () => {
  const pair = makePair({ seed: 1, up: { delayMs: 20 }, down: { delayMs: 20 }, startBitrateBps: 2_000_000 });
  connectPair(pair);
  const { connection, host } = pair.client;
  const options = { kind: 'video', latencyUs: 3_000 * MILLISECOND, delivery: 'timed' } as const;
  const track = host.call(() => connection.tracks.openLive(options)) as TrackSender;
  sendVideo(pair, track, 10, 2_000);
  pair.run(500);
  const receiver = pair.server.connection.tracks.receiver(track.id);
  expect(receiver?.poll()).toBeUndefined();
  host.call((now) => connection.close(true, 0, 'done', now));
  pair.run(100);
  const read: number[] = [];
  for (let frame = receiver?.poll(); frame !== undefined; frame = receiver?.poll()) read.push(frame.frameId);
  expect(read).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
