/** What tests of whole connections do again and again: wait, send, count. Around the pair of test/helpers/pair.ts. */
import { expect } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { ConnectionEvent } from '../../src/connection/events.ts';
import { PlainHandshake } from '../../src/crypto/plain-handshake.ts';
import type { SendStream } from '../../src/stream/send.ts';
import type { TrackSender } from '../../src/track/send.ts';
import type { End, Pair } from './pair.ts';
import { patternBytes } from './pattern.ts';

/** True when the application of this end was told so. */
export function has(end: End, type: ConnectionEvent['type']): boolean {
  return end.events.some((event) => event.type === type);
}

/** True when both ends have their keys and neither has closed. */
export function isConnected(pair: Pair): boolean {
  return [pair.client, pair.server].every((end) => has(end, 'connected') && end.connection.isOpen);
}

/** The `closed` event, which must be the last and the only one of its kind. */
export function closingOf(end: End): Extract<ConnectionEvent, { type: 'closed' }>['closing'] {
  const closed = end.events.filter((event) => event.type === 'closed');
  expect(closed.length).toBe(1);
  const last = end.events.at(-1);
  if (last?.type !== 'closed') throw new Error(`the last event is ${last?.type}, not closed`);
  return last.closing;
}

/** Runs until both ends have their keys; fails after `limitMs`. */
export function connectPair(pair: Pair, limitMs = 2000): void {
  const untilUs = pair.sim.now + limitMs * MILLISECOND;
  while (!isConnected(pair) && pair.sim.now < untilUs) pair.run(5);
  expect(isConnected(pair)).toBe(true);
  pair.run(200);
}

/** The server answers a caller only after `delayMs`, as real TLS and `authorize` do. */
export function answerLate(pair: Pair, delayMs: number, flightBytes?: number): void {
  pair.server.onEvent = (event) => {
    if (event.type !== 'incoming') return;
    pair.sim.schedule(pair.sim.now + delayMs * MILLISECOND, () =>
      pair.server.host.call((now) =>
        pair.server.connection.attachHandshake(
          new PlainHandshake({ isServer: true, ...(flightBytes === undefined ? {} : { flightBytes }) }),
          now,
        ),
      ),
    );
  };
}

/** Opens a live video track at the client. */
export function openVideo(pair: Pair, latencyMs = 200): TrackSender {
  return pair.client.host.call(() =>
    pair.client.connection.tracks.openLive({ kind: 'video', latencyUs: latencyMs * MILLISECOND }),
  ) as TrackSender;
}

/** Sends `count` media frames of `bytes`, 30 a second, their number in every byte. */
export function sendVideo(pair: Pair, track: TrackSender, count: number, bytes: number): void {
  for (let i = 0; i < count; i++) {
    pair.client.host.call((now) => {
      track.send(new Uint8Array(bytes).fill(i), { timestampUs: now }, now);
      pair.client.connection.onMediaQueued(track, now);
    });
    pair.run(33.333);
  }
}

/** Keeps a stream of the client's full until `total` bytes are in, then ends it. Returns how many are in. */
export function feedStream(pair: Pair, stream: SendStream, total: number): () => number {
  let written = 0;
  let isFinished = false;
  const write = (): void => {
    while (written < total) {
      const taken = stream.write(patternBytes(written, Math.min(16_384, total - written)));
      if (taken === 0) return;
      written += taken;
    }
    if (!isFinished) stream.finish();
    isFinished = true;
  };
  const before = pair.client.onEvent;
  pair.client.onEvent = (event, now) => {
    before(event, now);
    if (event.type === 'stream-writable') write();
  };
  pair.client.host.call(write);
  return () => written;
}

/** Reads every stream that reaches the server; counts its bytes and fails if any is not where it belongs. */
export function readStreams(pair: Pair): { bytes: number; isFinished: boolean } {
  const seen = { bytes: 0, isFinished: false };
  const before = pair.server.onEvent;
  pair.server.onEvent = (event, now) => {
    before(event, now);
    if (event.type !== 'stream-readable') return;
    const receive = pair.server.connection.streams.get(event.streamId)?.receive;
    for (let piece = receive?.read(); piece !== undefined; piece = receive?.read()) {
      expect(Buffer.compare(piece, patternBytes(seen.bytes, piece.length))).toBe(0);
      seen.bytes += piece.length;
    }
    if (receive?.isFinished === true) seen.isFinished = true;
  };
  return seen;
}
