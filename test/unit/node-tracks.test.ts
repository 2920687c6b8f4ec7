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

  it('settles each media frame when it is acknowledged, whether or not more follows', async () => {
    const track = sender.createTrack({ latency: Number.POSITIVE_INFINITY });
    for (let i = 0; i < 3; i++) expect(await track.send(new Uint8Array(1000)).settled).toBe('acknowledged');
    const ended = track.end();
    for await (const _ of (await tracks.next()).value as IncomingTrack);
    await ended;
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

describe('the delivery of a live track', () => {
  const LATENCY_MS = 1500;
  const LATENCY_MS_MAX = 60_000;
  /** Sends ten media frames, 20 ms apart in media time, all at once. Gives how long after that each came, ms. */
  async function arrivals(
    to: Connection,
    from: Connection,
    wish: 'asap' | 'timed',
    latencyMs: number = LATENCY_MS,
  ): Promise<number[]> {
    const incoming = to.incomingTracks[Symbol.asyncIterator]();
    const track = from.createTrack({ delivery: wish, latency: latencyMs });
    const startedAt = performance.now();
    for (let i = 0; i < 10; i++) track.send(new Uint8Array(100), { timestamp: i * 20_000 });
    const received = (await incoming.next()).value as IncomingTrack;
    deliveries.push(received.delivery);
    const times: number[] = [];
    void track.end();
    for await (const _ of received) times.push(performance.now());
    return times.map((time) => time - startedAt);
  }
  const deliveries: string[] = [];

  it('is what the sender wishes', async () => {
    const timed = await arrivals(sender, receiver, 'timed');
    expect(timed.length).toBe(10);
    // Never before its time; a busy machine makes it later.
    for (let i = 0; i < 10; i++) expect(timed[i]).toBeGreaterThan(LATENCY_MS + i * 20 - 10);
    expect(deliveries).toEqual(['timed']);
  });

  it('is what the receiver wants, where it says', async () => {
    const own = await listen({ host: '127.0.0.1', passphrase, delivery: 'timed' });
    const accepted = own[Symbol.asyncIterator]().next();
    const caller = await connect(
      { host: '127.0.0.1', port: own.address.port },
      { passphrase, delivery: 'asap' },
    );
    const peer = (await accepted).value as Connection;
    const timed = await arrivals(peer, caller, 'asap');
    for (let i = 0; i < 10; i++) expect(timed[i]).toBeGreaterThan(LATENCY_MS + i * 20 - 10);
    // The longest latency there is: however busy the machine, what is not kept for it comes before.
    const asap = await arrivals(caller, peer, 'timed', LATENCY_MS_MAX);
    expect(asap.length).toBe(10);
    expect(Math.max(...asap)).toBeLessThan(LATENCY_MS_MAX);
    expect(deliveries.slice(-2)).toEqual(['timed', 'asap']);
    await caller.close();
    await own.close();
    await expect(listen({ passphrase, delivery: 'soon' as 'asap' })).rejects.toThrow(/'asap' or 'timed'/);
  });
});
