import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import { CLIENT_ADDRESS } from '../../src/sim/network.ts';
import type { SendStream } from '../../src/stream/send.ts';
import {
  answerLate,
  closingOf,
  connectPair,
  feedStream,
  has,
  isConnected,
  readStreams,
} from '../helpers/calls.ts';
import { makePair, type PairOptions } from '../helpers/pair.ts';

const CLEAN: LinkOptions = { delayMs: 20, rateBps: 20_000_000 };

/** Loses the datagrams whose bit is set, counted over both directions in the order of sending. */
function losingPair(bitmap: number): ReturnType<typeof makePair> {
  const pair = makePair({ seed: bitmap, up: CLEAN, down: CLEAN });
  // The client's first datagram left before the taps were there: it is number 0 all the same.
  let index = 0;
  const tap = (): boolean => ((bitmap >>> index++) & 1) === 0;
  pair.network.up.addTap(tap);
  pair.network.down.addTap(tap);
  return pair;
}

describe('a handshake on a bad path', () => {
  test('every pattern of loss of the seven datagrams after the first connects', () => {
    const failed: number[] = [];
    for (let bitmap = 0; bitmap < 128; bitmap++) {
      const pair = losingPair(bitmap);
      pair.run(9000);
      if (!isConnected(pair) || pair.server.connection.state.handshake !== undefined) failed.push(bitmap);
    }
    expect(failed).toEqual([]);
  });

  test('every pattern of loss of the first seven datagrams of a caller and of an answerer connects', () => {
    const failed: string[] = [];
    for (let bitmap = 1; bitmap < 128; bitmap++) {
      for (const side of ['up', 'down'] as const) {
        const pattern = Array.from({ length: 7 }, (_, i) => ((bitmap >>> i) & 1 ? 'x' : '.')).join('');
        const lossy: LinkOptions = { ...CLEAN, loss: { kind: 'pattern', pattern } };
        const links = side === 'up' ? { up: lossy, down: CLEAN } : { up: CLEAN, down: lossy };
        const options: PairOptions = { seed: bitmap, ...links };
        const pair = makePair({ ...options, client: { handshakeTimeoutUs: 60_000 * MILLISECOND } });
        pair.run(59_000);
        if (!isConnected(pair)) failed.push(`${side} ${pattern}`);
      }
    }
    expect(failed).toEqual([]);
  });

  test.each([1, 2, 3])('three seconds of round trip outlast an idle timeout of one (seed %i)', (seed) => {
    const far: LinkOptions = { ...CLEAN, delayMs: 1500, loss: { kind: 'iid', ratio: 0.1 } };
    const waits = { handshakeTimeoutUs: 60_000 * MILLISECOND, keepAliveUs: 500 * MILLISECOND };
    const parameters = { maxIdleTimeoutMs: 1000 };
    const pair = makePair({ seed, up: far, down: far, parameters, client: waits, server: waits });
    pair.run(120_000);
    expect(isConnected(pair)).toBe(true);
    for (const { connection } of [pair.client, pair.server]) {
      expect(connection.isOpen).toBe(true);
      expect(connection.state.idleTimeoutUs).toBe(1000 * MILLISECOND);
    }
  });

  test.each([
    ['at once', 0, 242],
    ['after 30 ms', 30, 242],
    ['after 30 ms in four packets', 30, 4000],
  ] as const)(
    'a caller whose answer comes %s connects at 30 percent loss both ways, seeds 1 to 50',
    (_, delayMs, flightBytes) => {
      const lossy: LinkOptions = { ...CLEAN, loss: { kind: 'iid', ratio: 0.3 } };
      const failed: number[] = [];
      for (let seed = 1; seed <= 50; seed++) {
        const pair = makePair({ seed, up: lossy, down: lossy });
        answerLate(pair, delayMs, flightBytes);
        pair.run(9900);
        if (!isConnected(pair)) failed.push(seed);
      }
      expect(failed).toEqual([]);
    },
  );

  test.each([1, 2, 3, 4, 5])(
    'duplicated, reordered and delayed handshake packets connect once (seed %i)',
    (seed) => {
      const link: LinkOptions = {
        ...CLEAN,
        duplicate: { ratio: 0.5, delayMs: 15 },
        reorder: { ratio: 0.3, delayMs: 120 },
        jitter: { kind: 'uniform', ms: 15, keepOrder: false },
      };
      const pair = makePair({ seed, up: link, down: link });
      answerLate(pair, 10, 3000);
      pair.run(3000);
      for (const end of [pair.client, pair.server]) {
        expect(end.events.filter((event) => event.type === 'connected').length).toBe(1);
        expect(end.connection.isOpen).toBe(true);
      }
    },
  );

  test('a caller whom nobody answers gives up after its handshake timeout, and is forgotten', () => {
    const dead: LinkOptions = { loss: { kind: 'iid', ratio: 1 } };
    const pair = makePair({ seed: 1, up: dead, down: dead });
    pair.run(9990);
    expect(pair.client.connection.isOpen).toBe(true);
    pair.run(20);
    expect(closingOf(pair.client).error?.code).toBe('ERR_MILLRACE_TIMEOUT');
    expect(pair.client.connection.isDrained).toBe(true);
    expect(pair.client.connection.pollTimeout()).toBe(Number.POSITIVE_INFINITY);
  });

  test('a server forgets a caller who falls silent in the middle of the handshake', () => {
    const pair = makePair({
      seed: 1,
      up: { ...CLEAN, loss: { kind: 'pattern', pattern: `.${'x'.repeat(500)}` } },
      down: CLEAN,
    });
    pair.run(11_000);
    expect(closingOf(pair.server).error?.code).toBe('ERR_MILLRACE_TIMEOUT');
    expect(pair.server.connection.isDrained).toBe(true);
  });

  test.each([5000, 20_000])(
    'before a caller is validated a server with a flight of %i bytes sends it at most three times what came',
    (flightBytes) => {
      const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN });
      answerLate(pair, 1, flightBytes);
      let received = 0;
      let sent = 0;
      let isValidated = false;
      // After the first datagram the caller is silent for a second: nothing more may come of repetitions.
      pair.network.up.addTap(() => pair.sim.now > 1_000 * MILLISECOND);
      pair.server.host.pump();
      pair.network.down.addTap((packet) => {
        sent += (packet.payload as Uint8Array).length;
        received = pair.server.connection.state.counters.bytesReceived;
        isValidated ||= pair.server.connection.state.paths.active.isValidated;
        if (!isValidated) expect(sent).toBeLessThanOrEqual(3 * received);
        return true;
      });
      pair.run(1000);
      expect(received).toBe(1200);
      expect(sent).toBe(3600);
      pair.run(5000);
      expect(isConnected(pair)).toBe(true);
    },
  );

  test.each([
    ['all are kept and used', 1],
    ['a flood of copies is kept up to 256 KiB', 0],
  ])('1-RTT packets that come before the keys: %s', (_, isOnce) => {
    const up: LinkOptions =
      isOnce === 1 ? { delayMs: 20 } : { delayMs: 20, duplicate: { ratio: 1, delayMs: 1 } };
    const pair = makePair({ seed: 3, up, down: { delayMs: 20 }, startBitrateBps: 20_000_000 });
    const seen = readStreams(pair);
    // Until 300 ms every Initial packet of the client from its second on is damaged; what follows it in the datagram is not.
    pair.network.up.addTap((packet) => {
      const bytes = (packet.payload as Uint8Array).slice();
      if (pair.sim.now < 300 * MILLISECOND && bytes[0] === 0xc0) bytes[60] = (bytes[60] as number) ^ 1;
      packet.payload = bytes;
      return true;
    });
    pair.run(45);
    expect(pair.client.connection.isHandshaking).toBe(false);
    const stream = pair.client.host.call(() => pair.client.connection.streams.open('unidirectional'));
    feedStream(pair, stream as SendStream, 250_000);
    pair.run(250);
    expect(pair.server.connection.isHandshaking).toBe(true);
    expect(pair.client.connection.state.recovery.bytesInFlight).toBeGreaterThan(150_000);
    const { rejected } = pair.server.connection.state.counters;
    if (isOnce === 1) expect(rejected.keys).toBe(0);
    else expect(rejected.keys).toBeGreaterThan(0);
    let atKeys = 0;
    const before = pair.server.onEvent;
    pair.server.onEvent = (event, now) => {
      before(event, now);
      if (event.type === 'connected')
        pair.sim.schedule(now + 1, () => {
          atKeys = seen.bytes;
        });
    };
    pair.run(3000);
    // What was kept is there at once, not after it was sent again.
    expect(atKeys).toBeGreaterThan(100_000);
    expect(atKeys).toBeLessThan(250_000);
    expect(seen).toEqual({ bytes: 250_000, isFinished: true });
  });
});

describe('version negotiation', () => {
  function negotiation(
    dcid: readonly number[],
    scid: readonly number[],
    versions: readonly number[],
  ): Uint8Array {
    return Uint8Array.of(
      0xc0,
      0,
      0,
      0,
      0,
      dcid.length,
      ...dcid,
      scid.length,
      ...scid,
      ...versions.flatMap((version) => [
        version >>> 24,
        (version >>> 16) & 255,
        (version >>> 8) & 255,
        version & 255,
      ]),
    );
  }
  const LOCAL = [0, 0, 0, 0, 1, 2, 3, 4];
  const ORIGINAL = [9, 9, 9, 9, 9, 9, 9, 9];

  test('a caller gives up when the list lacks its version', () => {
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN });
    pair.run(1);
    pair.network.down.inject(negotiation(LOCAL, ORIGINAL, [1, 2]), 80, CLIENT_ADDRESS);
    pair.run(30);
    expect(closingOf(pair.client).error?.code).toBe('ERR_MILLRACE_VERSION');
    expect(pair.client.connection.isDrained).toBe(true);
  });

  test.each([
    ['lists our own version', LOCAL, ORIGINAL, [1, 0x6d720001]],
    ['does not know the connection ID that was called', LOCAL, [9, 9, 9, 9, 9, 9, 9, 8], [1]],
    ['calls us by another connection ID', [0, 0, 0, 0, 1, 2, 3, 5], ORIGINAL, [1]],
    ['lists nothing', LOCAL, ORIGINAL, []],
  ])('a forged packet that %s is ignored', (_, dcid, scid, versions) => {
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN });
    pair.run(1);
    pair.network.down.inject(negotiation(dcid, scid, versions), 80, CLIENT_ADDRESS);
    connectPair(pair);
    expect(has(pair.client, 'closed')).toBe(false);
  });

  test('one that comes after an answer of the server is ignored', () => {
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN });
    answerLate(pair, 50);
    pair.run(45);
    expect(pair.client.connection.isHandshaking).toBe(true);
    pair.network.down.inject(negotiation(LOCAL, ORIGINAL, [1]), 80, CLIENT_ADDRESS);
    connectPair(pair);
  });

  test('one that is cut anywhere is ignored', () => {
    const whole = negotiation(LOCAL, ORIGINAL, [1]);
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN });
    pair.run(1);
    for (let size = 0; size < whole.length; size++)
      pair.network.down.inject(whole.slice(0, size), 80, CLIENT_ADDRESS);
    connectPair(pair);
  });
});

describe('what is sealed leaves', () => {
  test('a flight that what follows does not fit behind is not lost on the way to the socket', () => {
    // Fast enough that the pacer holds nothing back.
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN, startBitrateBps: 10_000_000 });
    const numbers: number[] = [];
    let others = 0;
    pair.network.up.addTap((packet) => {
      const bytes = packet.payload as Uint8Array;
      if (bytes[0] !== 0xc0) others++;
      // Header: 5 + 9 + 9 + 1 bytes, Length (2), packet number (4).
      else numbers.push((bytes[28] as number) * 256 + (bytes[29] as number));
      if (bytes[0] === 0xc0) expect(bytes.length).toBeGreaterThanOrEqual(1200);
      return true;
    });
    while (pair.client.connection.isHandshaking) pair.run(1);
    for (let i = 0; i < 5; i++) {
      pair.client.host.call((now) => pair.client.connection.datagrams.send(new Uint8Array(1120), 1e6, now));
    }
    pair.run(30);
    expect(others).toBeGreaterThan(0);
    expect(numbers.length).toBeGreaterThan(1);
    numbers.forEach((number, i) => {
      expect(number).toBe((numbers[0] as number) + i);
    });
  });
});
