import { describe, expect, test } from 'vitest';
import { MILLISECOND, NEVER } from '../../src/base/protocol.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import {
  answerLate,
  closingOf,
  connectPair,
  feedStream,
  has,
  openVideo,
  sendVideo,
} from '../helpers/calls.ts';
import { type End, makePair, type Pair } from '../helpers/pair.ts';

const CLEAN: LinkOptions = { delayMs: 20, rateBps: 20_000_000 };

function close(end: End, code: number, reason: string): void {
  end.host.call((now) => end.connection.close(true, code, reason, now));
}

/** Both ends are over: forgotten by their endpoints, no timer left, nothing to send or to tell. */
function expectForgotten(pair: Pair): void {
  for (const { connection } of [pair.client, pair.server]) {
    expect(connection.isDrained).toBe(true);
    expect(connection.pollTimeout()).toBe(NEVER);
    expect(connection.pollTransmit(new Uint8Array(2048), pair.sim.now)).toBe(0);
    expect(connection.pollEvent()).toBeUndefined();
  }
}

describe('closing', () => {
  test.each(Array.from({ length: 20 }, (_, i) => i + 1))(
    'in the middle of a call at 30 percent loss code and reason reach the peer, and both ends are forgotten (seed %i)',
    (seed) => {
      const pair = makePair({ seed, up: CLEAN, down: CLEAN, startBitrateBps: 4_000_000 });
      connectPair(pair);
      const track = openVideo(pair);
      const stream = pair.client.host.call(() => pair.client.connection.streams.open('unidirectional'));
      if (stream !== undefined) feedStream(pair, stream, 1_000_000);
      sendVideo(pair, track, 10, 10_000);
      const lossy: LinkOptions = { loss: { kind: 'iid', ratio: 0.3 } };
      pair.network.up.update(lossy);
      pair.network.down.update(lossy);
      const [local, remote] = seed % 2 === 0 ? [pair.client, pair.server] : [pair.server, pair.client];
      close(local, 7, 'goodbye');
      pair.run(30_000);
      expect(closingOf(local)).toMatchObject({
        isLocal: true,
        isApplication: true,
        errorCode: 7,
        error: undefined,
      });
      expect(closingOf(remote)).toMatchObject({
        isLocal: false,
        isApplication: true,
        errorCode: 7,
        reason: 'goodbye',
      });
      expectForgotten(pair);
    },
  );

  test('both ends at once: each is told of its own close, and both are forgotten', () => {
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN });
    connectPair(pair);
    close(pair.client, 1, 'client');
    close(pair.server, 2, 'server');
    pair.run(5000);
    expect(closingOf(pair.client)).toMatchObject({ isLocal: true, errorCode: 1, reason: 'client' });
    expect(closingOf(pair.server)).toMatchObject({ isLocal: true, errorCode: 2, reason: 'server' });
    expectForgotten(pair);
  });

  test('twice: the first one counts', () => {
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN });
    connectPair(pair);
    close(pair.client, 1, 'first');
    close(pair.client, 2, 'second');
    pair.run(5000);
    close(pair.client, 3, 'third');
    expect(closingOf(pair.client).errorCode).toBe(1);
    expect(closingOf(pair.server)).toMatchObject({ errorCode: 1, reason: 'first' });
    expectForgotten(pair);
  });

  test('every media frame that was under way is settled before closed is told', () => {
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN, startBitrateBps: 500_000 });
    connectPair(pair);
    const track = openVideo(pair, 2000);
    pair.client.host.call((now) => {
      for (let i = 0; i < 5; i++) track.send(new Uint8Array(40_000), { timestampUs: i }, now);
    });
    close(pair.client, 0, '');
    pair.run(3000);
    closingOf(pair.client);
    expect(pair.client.events.filter((event) => event.type === 'frame-settled').length).toBe(5);
  });

  test('a peer that has vanished: the end is over after six doubling intervals all the same', () => {
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN });
    connectPair(pair);
    pair.server.host.stop();
    close(pair.client, 1, 'nobody hears');
    const intervalUs = pair.client.connection.state.recovery.probeTimeoutUs;
    pair.run((63 * intervalUs) / MILLISECOND - 5);
    expect(has(pair.client, 'closed')).toBe(false);
    pair.run(10);
    expect(closingOf(pair.client).isLocal).toBe(true);
    expect(pair.client.connection.isDrained).toBe(true);
  });

  test('answers to packets that come after the end do not put off the end', () => {
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN, startBitrateBps: 4_000_000 });
    connectPair(pair);
    const track = openVideo(pair);
    sendVideo(pair, track, 30, 10_000);
    // The server's word does not get through, so the client goes on and the server answers.
    pair.network.down.update({ loss: { kind: 'iid', ratio: 1 } });
    const intervalUs = pair.server.connection.state.recovery.probeTimeoutUs;
    close(pair.server, 1, '');
    sendVideo(pair, track, 30, 10_000);
    pair.run((63 * intervalUs) / MILLISECOND - 900);
    expect(closingOf(pair.server).isLocal).toBe(true);
    expect(pair.server.connection.isDrained).toBe(true);
  });

  test('a keep-alive shorter than the wait for confirmation leaves no deadline in the past', () => {
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN, client: { keepAliveUs: 100 * MILLISECOND } });
    connectPair(pair);
    pair.server.host.stop();
    close(pair.client, 1, '');
    for (let i = 0; i < 200 && !pair.client.connection.isDrained; i++) {
      expect(pair.client.connection.pollTimeout()).toBeGreaterThan(pair.sim.now);
      pair.run(100);
    }
    expect(pair.client.connection.isDrained).toBe(true);
  });

  test.each([0, 10, 500])(
    'by the caller, %d ms after the call began, of a host that says nothing: it is said once and over',
    (afterMs) => {
      const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN });
      pair.server.host.stop();
      pair.run(afterMs);
      const before = pair.client.host.statistics.sentDatagrams;
      close(pair.client, 1, 'nobody there');
      pair.run(1);
      expect(pair.client.host.statistics.sentDatagrams - before).toBe(1);
      expect(closingOf(pair.client)).toMatchObject({ isLocal: true, errorCode: 1 });
      expect(pair.client.connection.isDrained).toBe(true);
    },
  );

  test.each([0, 10, 21, 30, 39.9, 41, 50, 61, 70])(
    'by the caller %d ms after the call began: the answerer hears of it or forgets the caller',
    (afterMs) => {
      const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN });
      answerLate(pair, 5);
      pair.run(afterMs);
      close(pair.client, 9, 'changed my mind');
      pair.run(30_000);
      expect(closingOf(pair.client)).toMatchObject({ isLocal: true, errorCode: 9 });
      if (pair.server.events.length > 0)
        expect(closingOf(pair.server)).toMatchObject({ errorCode: 9, reason: 'changed my mind' });
      expect(pair.client.connection.isDrained).toBe(true);
      if (pair.server.events.length > 0) expectForgotten(pair);
    },
  );

  test.each([0, 1, 20, 41, 60, 100])(
    'by the answerer %d ms after the caller was heard: the caller learns code and reason',
    (afterMs) => {
      const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN });
      answerLate(pair, 10);
      pair.run(20.6 + afterMs);
      expect(has(pair.server, 'incoming')).toBe(true);
      close(pair.server, 0x42, 'busy');
      pair.run(30_000);
      expect(closingOf(pair.server)).toMatchObject({ isLocal: true, errorCode: 0x42 });
      expect(closingOf(pair.client)).toMatchObject({ isLocal: false, errorCode: 0x42, reason: 'busy' });
      expect(closingOf(pair.client).error?.code).toBe('ERR_MILLRACE_BUSY');
      expectForgotten(pair);
    },
  );

  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'a refusal of the answerer reaches the caller at 30 percent loss (seed %i)',
    (seed) => {
      const lossy: LinkOptions = { ...CLEAN, loss: { kind: 'iid', ratio: 0.3 } };
      const pair = makePair({ seed, up: lossy, down: lossy });
      pair.server.onEvent = (event, now) => {
        if (event.type === 'incoming') pair.server.connection.close(true, 5, 'not you', now);
      };
      pair.run(40_000);
      expect(closingOf(pair.client)).toMatchObject({ isLocal: false, errorCode: 5, reason: 'not you' });
      expectForgotten(pair);
    },
  );

  test.each([900, 1100, 1160, 4000])(
    'while a flight of %i bytes waits to be sent still carries code and reason',
    (flightBytes) => {
      const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN });
      answerLate(pair, 0, flightBytes);
      const before = pair.server.onEvent;
      pair.server.onEvent = (event, now) => {
        before(event, now);
        if (event.type === 'incoming') pair.sim.schedule(now, () => close(pair.server, 5, 'r'.repeat(200)));
      };
      // The flight is queued, the close follows at once, before anything was sent.
      pair.run(30_000);
      expect(closingOf(pair.client)).toMatchObject({ isLocal: false, errorCode: 5, reason: 'r'.repeat(200) });
      expectForgotten(pair);
    },
  );

  test('another word at the other end: both learn that the keys differ', () => {
    const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN, clientWord: 'a', serverWord: 'b' });
    pair.run(20_000);
    expect(closingOf(pair.server).error?.code).toBe('ERR_MILLRACE_PASSPHRASE');
    expect(closingOf(pair.client).error?.code).toBe('ERR_MILLRACE_PASSPHRASE');
    expectForgotten(pair);
  });
});

describe('silence', () => {
  test('the smaller idle timeout of both ends ends a call whose peer has vanished', () => {
    const pair = makePair({
      seed: 1,
      up: CLEAN,
      down: CLEAN,
      client: { keepAliveUs: 1_000_000 * MILLISECOND },
      server: { keepAliveUs: 1_000_000 * MILLISECOND },
      parameters: { maxIdleTimeoutMs: 3000 },
    });
    connectPair(pair);
    pair.server.host.stop();
    pair.run(2500);
    expect(pair.client.connection.isOpen).toBe(true);
    pair.run(1000);
    expect(closingOf(pair.client).error?.code).toBe('ERR_MILLRACE_IDLE_TIMEOUT');
    expect(pair.client.connection.isDrained).toBe(true);
  });

  test('keep-alives hold a silent call open for minutes, at one datagram and its answer per interval', () => {
    const pair = makePair({
      seed: 1,
      up: CLEAN,
      down: CLEAN,
      client: { keepAliveUs: 1000 * MILLISECOND },
      server: { keepAliveUs: 100_000 * MILLISECOND },
      parameters: { maxIdleTimeoutMs: 3000 },
    });
    connectPair(pair);
    pair.run(5000);
    const before = pair.client.host.statistics.sentDatagrams;
    pair.run(120_000);
    expect(pair.client.connection.isOpen && pair.server.connection.isOpen).toBe(true);
    const sent = pair.client.host.statistics.sentDatagrams - before;
    expect(sent).toBeGreaterThanOrEqual(119);
    expect(sent).toBeLessThanOrEqual(122);
  });
});
