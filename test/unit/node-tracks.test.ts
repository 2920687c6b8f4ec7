import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Connection, connect, type IncomingTrack, type Listener, listen } from '../../src/index.ts';

const passphrase = 'only for a test';
let listener: Listener;
let sender: Connection;
let receiver: Connection;
let tracks: AsyncIterator<IncomingTrack>;

beforeAll(async () => {
  listener = await listen({ host: '127.0.0.1', passphrase });
  const accepted = listener[Symbol.asyncIterator]().next();
  sender = await connect({ host: '127.0.0.1', port: listener.address.port }, { passphrase });
  receiver = (await accepted).value;
  tracks = receiver.incomingTracks[Symbol.asyncIterator]();
});
afterAll(async () => {
  await sender.close();
  await listener.close();
});

describe('a reliable track', () => {
  it('counts its media frames at both ends: on time when they have arrived', async () => {
    const track = sender.createTrack({ latency: Number.POSITIVE_INFINITY });
    for (let i = 0; i < 50; i++) track.send(new Uint8Array(1000 * i));
    const incoming = (await tracks.next()).value as IncomingTrack;
    let frames = 0;
    const ended = track.end();
    for await (const _ of incoming) frames++;
    await ended;
    expect(frames).toBe(50);
    const none = { fec: 0, resent: 0, late: 0, lost: 0 };
    expect(sender.stats().framesSent).toEqual({ sent: 50, onTime: 50, ...none });
    expect(receiver.stats().framesReceived).toEqual({ sent: 50, onTime: 50, ...none });
  });

  it('counts what the receiver did not want as lost, so that the sum stays right', async () => {
    const before = sender.stats().framesSent;
    const track = sender.createTrack({ latency: Number.POSITIVE_INFINITY });
    const stopped = new Promise((resolve) => track.addEventListener('stopped', resolve));
    const handles = Array.from({ length: 40 }, () => track.send(new Uint8Array(500_000)));
    ((await tracks.next()).value as IncomingTrack).stop(7);
    await stopped;
    const outcomes = await Promise.all(handles.map(({ settled }) => settled));
    const { sent, onTime, lost } = sender.stats().framesSent;
    const acknowledged = outcomes.filter((outcome) => outcome === 'acknowledged').length;
    expect(sent - before.sent).toBe(40);
    expect(onTime - before.onTime).toBe(acknowledged);
    expect(lost - before.lost).toBe(40 - acknowledged);
    expect(lost).toBeGreaterThan(before.lost);
  });
});
