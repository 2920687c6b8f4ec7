import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Connection, connect, type Listener, listen } from '../../src/index.ts';
import { routeOfCaller, setUsualStartRate, startRateOf } from '../../src/node/known-rates.ts';

const passphrase = 'only for a test';
const HOST = '127.0.0.1';
let listener: Listener;

beforeAll(async () => {
  listener = await listen({ host: HOST, passphrase });
  void (async () => {
    for await (const connection of listener) {
      void (async () => {
        for await (const track of connection.incomingTracks) for await (const _ of track);
      })().catch(() => {});
    }
  })();
});
afterAll(() => listener.close());

function call(startBitrate?: number): Promise<Connection> {
  return connect({ host: HOST, port: listener.address.port }, { passphrase, startBitrate });
}

/** The rate with which a connection begins is 1.3 times its start bitrate (docs/rate-control.md). */
function startOf(connection: Connection): number {
  return connection.stats().targetBps / 1.3;
}

function route(): string {
  return routeOfCaller(HOST, { host: HOST, port: listener.address.port });
}

describe('where the rate of a connection begins', () => {
  it('is what the application says; else half of what the last call to that peer carried; else the usual', async () => {
    const first = await call();
    expect(startOf(first)).toBeCloseTo(500_000, 0);
    const track = first.createTrack({ latency: Number.POSITIVE_INFINITY });
    track.send(new Uint8Array(2_000_000));
    await track.end();
    await first.close();
    const known = startRateOf(route());
    expect(known).toBeGreaterThan(500_000);

    const second = await call();
    expect(startOf(second)).toBeCloseTo(known, 0);
    await second.close();
    // A call that sent next to nothing has learned nothing.
    expect(startRateOf(route())).toBe(known);

    const third = await call(250_000);
    expect(startOf(third)).toBeCloseTo(250_000, 0);
    await third.close();

    // Another machine may be behind another port, and another network behind another address of our own.
    const other = { host: HOST, port: listener.address.port ^ 1 };
    expect(startRateOf(routeOfCaller(HOST, other))).toBe(500_000);
    expect(startRateOf(routeOfCaller('192.0.2.1', { ...other, port: listener.address.port }))).toBe(500_000);
  });

  it('is another usual rate where a program has set one, for hosts that are not known', () => {
    setUsualStartRate(4_000_000);
    expect(startRateOf('203.0.113.7')).toBe(4_000_000);
    setUsualStartRate(500_000);
    expect(startRateOf('203.0.113.7')).toBe(500_000);
  });
});
