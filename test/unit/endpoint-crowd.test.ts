import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { Connection } from '../../src/connection/connection.ts';
import { plainCrypto } from '../../src/crypto/plain-protection.ts';
import { REPLIES_MAX, UNPROVEN_MAX } from '../../src/endpoint.ts';
import { RESET_BYTES_MAX } from '../../src/path/stateless-reset.ts';
import { writeRetry } from '../../src/wire/retry.ts';
import { Bench } from '../helpers/endpoints.ts';
import { bytesInUse } from '../helpers/memory.ts';

/** So many callers who say their first word and nothing more. */
function crowd(bench: Bench, count: number): void {
  for (let i = 0; i < count; i++) {
    bench.server.handleDatagram(bench.poll(bench.dial()) as Uint8Array, 1000 + i, bench.now);
  }
}

/** The next stateless reply. */
function reply(bench: Bench): Uint8Array | undefined {
  const out = new Uint8Array(2048);
  const size = bench.server.pollReply(out);
  return size === 0 ? undefined : out.slice(0, size);
}

/** What the caller says after the listener's Retry, on a server that asks everyone. */
function retried(bench: Bench, path = 7): { call: Connection; first: Uint8Array; second: Uint8Array } {
  const call = bench.dial();
  const first = bench.poll(call) as Uint8Array;
  expect(bench.server.handleDatagram(first.slice(), path, bench.now)).toBeUndefined();
  const retry = reply(bench) as Uint8Array;
  expect(bench.server.replyPath).toBe(path);
  bench.caller.handleDatagram(retry, 0, bench.now);
  return { call, first, second: bench.poll(call) as Uint8Array };
}

describe('in a crowd', () => {
  test('a caller without a token costs nothing but an answer far smaller than what it sent', () => {
    const bench = new Bench();
    crowd(bench, UNPROVEN_MAX);
    expect(bench.server.halfOpenCount).toBe(UNPROVEN_MAX);
    crowd(bench, 1000);
    expect(bench.server.count).toBe(UNPROVEN_MAX);
    expect(bench.server.counters.retriesSent).toBe(REPLIES_MAX);
    for (let i = 0; i < REPLIES_MAX; i++) expect(reply(bench)?.length).toBeLessThan(100);
    expect(reply(bench)).toBeUndefined();
  });

  test('a caller who answers the Retry is connected, and its address counts as proven', () => {
    const bench = new Bench({ unprovenMax: 0 });
    const { call, second } = retried(bench);
    const server = bench.server.handleDatagram(second, 7, bench.now) as Connection;
    expect(server.state.paths.active.isValidated).toBe(true);
    bench.run(200);
    expect(bench.types(call)).toContain('connected');
    expect(bench.types(server)).toContain('connected');
    expect(bench.server.halfOpenCount).toBe(0);
  });

  test('a token is good at the address it was made for only', () => {
    const bench = new Bench({ unprovenMax: 0 });
    const { second } = retried(bench, 7);
    expect(bench.server.handleDatagram(second.slice(), 8, bench.now)).toBeUndefined();
    expect(bench.server.counters.refusedTokens).toBe(1);
    expect(bench.server.handleDatagram(second.slice(), 7, bench.now)).toBeDefined();
  });

  test.each([
    [14_999, true],
    [15_100, false],
  ])('after %i ms a token is good: %s', (ms, isGood) => {
    const bench = new Bench({ unprovenMax: 0 });
    const { second } = retried(bench);
    const server = bench.server.handleDatagram(second, 7, bench.now + ms * MILLISECOND);
    expect(server !== undefined).toBe(isGood);
  });

  test.each([0, 20_000])(
    'a token is good once: a first packet replayed after its call ended, %i ms later, makes none',
    (ms) => {
      const bench = new Bench({ unprovenMax: 0 });
      const { second } = retried(bench);
      const server = bench.server.handleDatagram(second.slice(), 7, bench.now) as Connection;
      bench.server.remove(server);
      expect(bench.server.handleDatagram(second.slice(), 7, bench.now + ms * MILLISECOND)).toBeUndefined();
      expect(bench.server.count).toBe(0);
    },
  );

  test('a damaged copy of a first packet with a token does not use the token up', () => {
    const bench = new Bench({ unprovenMax: 0 });
    const { second } = retried(bench);
    const damaged = second.slice();
    damaged[600] = (damaged[600] as number) ^ 1;
    expect(bench.server.handleDatagram(damaged, 7, bench.now)).toBeUndefined();
    expect(bench.server.counters.forgedInitials).toBe(1);
    expect(bench.server.handleDatagram(second.slice(), 7, bench.now)).toBeDefined();
  });

  test('every bit of a token counts', () => {
    const bench = new Bench({ unprovenMax: 0 });
    const { second } = retried(bench);
    // 5 bytes of type and version, two IDs of 8 with their lengths, one byte of token length.
    const at = 5 + 9 + 9 + 1;
    for (let i = 0; i < 20 * 8; i++) {
      const other = second.slice();
      other[at + (i >> 3)] = (other[at + (i >> 3)] as number) ^ (1 << (i & 7));
      expect(bench.server.handleDatagram(other, 7, bench.now)).toBeUndefined();
    }
    expect(bench.server.counters.refusedTokens).toBe(160);
  });
});

describe('10,000 first packets a minute from as many addresses', () => {
  test('leave an endpoint with 16 handshakes under way and less than 16 MB more, and a call under way undisturbed', () => {
    const bench = new Bench();
    const call = bench.dial();
    bench.run(200);
    const packets = Array.from({ length: 500 }, () => {
      const dialed = bench.dial();
      const packet = bench.poll(dialed) as Uint8Array;
      bench.caller.remove(dialed);
      return packet;
    });
    const before = bytesInUse();
    let most = 0;
    for (let i = 0; i < 10_000; i++) {
      const packet = (packets[i % packets.length] as Uint8Array).slice();
      // Another call each time. It would not open: what may be skipped before that is skipped.
      packet[6] = i;
      packet[7] = i >>> 8;
      bench.server.handleDatagram(
        i < UNPROVEN_MAX ? (packets[i] as Uint8Array).slice() : packet,
        1000 + i,
        bench.now,
      );
      while (reply(bench) !== undefined);
      bench.now += 100;
      most = Math.max(most, bench.server.count);
    }
    expect(most).toBe(1 + UNPROVEN_MAX);
    expect(bytesInUse() - before).toBeLessThan(16 * 1_048_576);
    expect(bench.server.counters.retriesSent).toBe(10_000 - UNPROVEN_MAX);
    call.datagrams.send(Uint8Array.of(1), 1e6, bench.now);
    bench.run(50);
    expect(bench.types(bench.accepted[0] as Connection)).toContain('datagram');
  });
});

describe('a caller asked to retry', () => {
  const callerId = (first: Uint8Array): Uint8Array => first.slice(15, 23);
  const originalId = (first: Uint8Array): Uint8Array => first.slice(6, 14);

  test('answers one Retry only', () => {
    const bench = new Bench({ unprovenMax: 0 });
    const { call, first, second } = retried(bench);
    expect(second.length).toBe(1200);
    const again = writeRetry(plainCrypto.sha256, callerId(first), originalId(first), new Uint8Array(20));
    bench.caller.handleDatagram(again, 0, bench.now);
    expect(bench.poll(call)).toBeUndefined();
    expect(call.state.counters.rejected.malformed).toBe(1);
  });

  test('ignores one that is damaged anywhere, cut anywhere, or does not know the call', () => {
    const bench = new Bench();
    const call = bench.dial();
    const first = bench.poll(call) as Uint8Array;
    const good = writeRetry(
      plainCrypto.sha256,
      callerId(first),
      originalId(first),
      new Uint8Array(20).fill(1),
    );
    for (let at = 0; at < good.length; at++) {
      const bad = good.slice();
      bad[at] = (bad[at] as number) ^ 4;
      bench.caller.handleDatagram(bad, 0, bench.now);
      bench.caller.handleDatagram(good.slice(0, at), 0, bench.now);
    }
    const blind = writeRetry(plainCrypto.sha256, callerId(first), new Uint8Array(8), new Uint8Array(20));
    bench.caller.handleDatagram(blind, 0, bench.now);
    expect(bench.poll(call)).toBeUndefined();
    bench.caller.handleDatagram(good, 0, bench.now);
    expect(bench.poll(call)?.length).toBe(1200);
  });

  test('ignores one after the listener has answered', () => {
    const bench = new Bench();
    const call = bench.dial();
    const first = bench.poll(call) as Uint8Array;
    bench.server.handleDatagram(first.slice(), 0, bench.now);
    bench.run(5);
    const late = writeRetry(plainCrypto.sha256, callerId(first), originalId(first), new Uint8Array(20));
    bench.caller.handleDatagram(late, 0, bench.now);
    bench.run(100);
    expect(bench.types(call)).toContain('connected');
  });
});

describe('a packet for a connection that is gone', () => {
  /** A call whose listener has lost everything but its reset key. */
  function forgotten(): { bench: Bench; call: Connection; packet: Uint8Array } {
    const bench = new Bench({ resetKey: new Uint8Array(32).fill(5) });
    const call = bench.dial();
    bench.run(200);
    const server = bench.accepted[0] as Connection;
    bench.server.remove(server);
    call.datagrams.send(new Uint8Array(500), 1e6, bench.now);
    return { bench, call, packet: bench.poll(call) as Uint8Array };
  }

  test('is answered with a reset that ends the call there', () => {
    const { bench, call, packet } = forgotten();
    bench.server.handleDatagram(packet, 3, bench.now);
    const reset = reply(bench) as Uint8Array;
    expect(bench.server.replyPath).toBe(3);
    expect(reset.length).toBeLessThanOrEqual(RESET_BYTES_MAX);
    expect((reset[0] as number) & 0xc0).toBe(0x40);
    bench.caller.handleDatagram(reset, 0, bench.now);
    bench.poll(call);
    const closed = bench.events.get(call)?.at(-1);
    expect(closed?.type === 'closed' && closed.closing.error?.code).toBe('ERR_MILLRACE_FORGOTTEN');
  });

  test('a reset with any other token is nothing', () => {
    const { bench, call, packet } = forgotten();
    bench.server.handleDatagram(packet, 3, bench.now);
    const reset = reply(bench) as Uint8Array;
    for (let i = 1; i <= 16; i++) {
      const other = reset.slice();
      other[reset.length - i] = (other[reset.length - i] as number) ^ 1;
      bench.caller.handleDatagram(other, 0, bench.now);
    }
    expect(call.isOpen).toBe(true);
  });

  test('is answered 16 times at once and 50 times a second at the most, and a reset never', () => {
    const { bench, packet } = forgotten();
    let answers = 0;
    let reset: Uint8Array = new Uint8Array(0);
    const drain = (): void => {
      for (let next = reply(bench); next !== undefined; next = reply(bench)) {
        answers++;
        reset = next;
      }
    };
    for (let i = 0; i < 1000; i++) {
      bench.server.handleDatagram(packet.slice(), 3, bench.now);
      drain();
    }
    expect(answers).toBe(16);
    for (let i = 0; i < 1000; i++) {
      bench.now += MILLISECOND;
      bench.server.handleDatagram(packet.slice(), 3, bench.now);
      drain();
    }
    expect(answers).toBeLessThanOrEqual(16 + 50);
    const before = answers;
    reset[1] = 0;
    bench.now += 10_000 * MILLISECOND;
    bench.server.handleDatagram(reset, 3, bench.now);
    drain();
    expect(answers).toBe(before);
  });

  test('a caller never answers with a reset', () => {
    const { bench, packet } = forgotten();
    bench.caller.handleDatagram(packet, 3, bench.now);
    expect(bench.caller.pollReply(new Uint8Array(2048))).toBe(0);
  });
});

describe("a caller's first packet", () => {
  test('that comes again long after the call was made goes to that call and begins nothing', () => {
    const bench = new Bench();
    const call = bench.dial();
    const first = bench.poll(call) as Uint8Array;
    const server = bench.server.handleDatagram(first.slice(), 0, bench.now);
    bench.run(10_000);
    expect(bench.types(call)).toContain('connected');
    expect(bench.server.handleDatagram(first.slice(), 9, bench.now)).toBe(server);
    expect(bench.server.count).toBe(1);
    bench.run(200);
    expect(call.isOpen).toBe(true);
  });
});
