import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { Connection } from '../../src/connection/connection.ts';
import { HALF_OPEN_MAX } from '../../src/endpoint.ts';
import { Bench } from '../helpers/endpoints.ts';

describe('an endpoint', () => {
  test('keeps two calls apart: each gets its own datagrams and its own end', () => {
    const bench = new Bench();
    const [one, two] = [bench.dial(), bench.dial()];
    bench.run(100);
    expect(bench.server.count).toBe(2);
    one.datagrams.send(Uint8Array.of(1), 1e6, bench.now);
    two.datagrams.send(Uint8Array.of(2, 2), 1e6, bench.now);
    bench.run(100);
    const got = bench.accepted.map((connection) =>
      (bench.events.get(connection) ?? []).flatMap((event) =>
        event.type === 'datagram' ? [event.bytes.length] : [],
      ),
    );
    expect(got).toEqual([[1], [2]]);
    one.close(true, 3, 'one', bench.now);
    bench.run(5000);
    expect([bench.caller.count, bench.server.count]).toEqual([1, 1]);
    expect(two.isOpen).toBe(true);
    expect(bench.types(bench.accepted[0] as Connection).at(-1)).toBe('closed');
    expect(bench.types(bench.accepted[1] as Connection)).not.toContain('closed');
  });

  test('drops short packets for connection IDs that are not its own, and counts them', () => {
    const bench = new Bench();
    const call = bench.dial();
    bench.run(100);
    call.datagrams.send(new Uint8Array(10), 1e6, bench.now);
    const packet = bench.poll(call) as Uint8Array;
    expect((packet[0] as number) & 0x80).toBe(0);
    const server = bench.accepted[0] as Connection;
    const before = server.state.counters.datagramsReceived;
    for (let at = 1; at <= 8; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const other = packet.slice();
        other[at] = (other[at] as number) ^ (1 << bit);
        expect(bench.server.handleDatagram(other, 0, bench.now)).toBeUndefined();
      }
    }
    expect(bench.server.counters.unroutable).toBe(64);
    expect(server.state.counters.datagramsReceived).toBe(before);
    expect(bench.server.handleDatagram(packet, 0, bench.now)).toBe(server);
  });

  test('uses a slot again, and late packets of the call that had it do not reach the new one', () => {
    const bench = new Bench();
    const first = bench.dial();
    bench.run(100);
    first.datagrams.send(new Uint8Array(10), 1e6, bench.now);
    const late = bench.poll(first) as Uint8Array;
    first.close(true, 0, '', bench.now);
    bench.run(10_000);
    expect([bench.caller.count, bench.server.count]).toEqual([0, 0]);
    const second = bench.dial();
    bench.run(100);
    const server = bench.accepted[1] as Connection;
    expect(second.slot).toBe(first.slot);
    expect(server.slot).toBe((bench.accepted[0] as Connection).slot);
    expect(bench.server.handleDatagram(late, 0, bench.now)).toBeUndefined();
    // Removing the old one again must not touch the new one.
    bench.caller.remove(first);
    bench.server.remove(bench.accepted[0] as Connection);
    expect([bench.caller.count, bench.server.count]).toEqual([1, 1]);
    expect(bench.server.connectionAt(server.slot)).toBe(server);
  });

  test('a repeated first datagram finds the connection it has made', () => {
    const bench = new Bench();
    const call = bench.dial();
    const first = bench.poll(call) as Uint8Array;
    const server = bench.server.handleDatagram(first.slice(), 0, bench.now);
    expect(bench.server.handleDatagram(first.slice(), 0, bench.now)).toBe(server);
    expect(bench.server.count).toBe(1);
  });

  test('turns callers away beyond the limit of handshakes under way, and takes them again afterwards', () => {
    const bench = new Bench({ unprovenMax: Number.POSITIVE_INFINITY });
    for (let i = 0; i < HALF_OPEN_MAX + 10; i++) {
      bench.server.handleDatagram(bench.poll(bench.dial()) as Uint8Array, 0, bench.now);
    }
    expect([bench.server.count, bench.server.counters.refusedCallers]).toEqual([HALF_OPEN_MAX, 10]);
    for (let slot = 0; slot < HALF_OPEN_MAX; slot++) {
      const connection = bench.server.connectionAt(slot) as Connection;
      connection.handleTimeout(bench.now + 11_000 * MILLISECOND);
      expect(connection.isDrained).toBe(true);
      bench.server.remove(connection);
    }
    const late = bench.server.handleDatagram(bench.poll(bench.dial()) as Uint8Array, 0, bench.now);
    expect(late).toBeDefined();
    expect(bench.server.count).toBe(1);
  });

  test('that stops accepting makes nothing of new callers and goes on with those it has heard', () => {
    const bench = new Bench();
    const open = bench.dial();
    bench.run(100);
    const begun = bench.dial();
    const first = bench.poll(begun) as Uint8Array;
    bench.server.handleDatagram(first.slice(), 0, bench.now);
    bench.server.stopAccepting();
    const late = bench.dial();
    bench.run(1000);
    expect([open.isOpen, bench.types(begun), bench.types(late)]).toEqual([true, ['connected'], []]);
    expect([bench.server.count, bench.accepted.length]).toEqual([2, 2]);
    expect(bench.server.counters.refusedCallers).toBeGreaterThan(0);
  });

  test('100,000 garbage datagrams leave nothing behind, and at most 64 answers waiting (seed 5)', () => {
    const bench = new Bench();
    const call = bench.dial();
    bench.run(100);
    const random = new SeededRandom(5);
    const server = bench.accepted[0] as Connection;
    const initial = bench.poll(bench.dial()) as Uint8Array;
    const bytes = new Uint8Array(1452);
    for (let i = 0; i < 100_000; i++) {
      random.fill(bytes.subarray(0, 40));
      const size = i % 3 === 0 ? 1200 : Math.floor(random.unit() * 200);
      // A part looks like ours: the fixed bits of a first byte, our version, an Initial packet with another tag.
      if (i % 5 === 0) bytes.set([0xc0, 0x6d, 0x72, 0, 1], 0);
      if (i % 7 === 0) bytes[0] = 0x40;
      if (i % 100 === 0) {
        bytes.set(initial);
        bytes[6] = i;
        bytes[7] = i >>> 8;
      }
      bench.server.handleDatagram(bytes.slice(0, i % 100 === 0 ? 1200 : size), i, bench.now);
    }
    expect(bench.server.count).toBe(1);
    expect(bench.accepted.length).toBe(1);
    expect(bench.server.connectionAt(0)).toBe(server);
    expect(bench.server.connectionAt(1)).toBeUndefined();
    let replies = 0;
    while (bench.server.pollReply(new Uint8Array(2048)) > 0) replies++;
    expect(replies).toBe(64);
    expect(bench.server.counters.refusedCallers).toBe(0);
    call.datagrams.send(Uint8Array.of(7), 1e6, bench.now);
    bench.run(50);
    expect(bench.types(server)).toContain('datagram');
  });

  test('answers a foreign version of full size with its own versions, and nothing shorter', () => {
    const bench = new Bench();
    const foreign = new Uint8Array(1200);
    foreign.set([0xc0, 0xab, 0xcd, 0, 1, 3, 1, 2, 3, 2, 8, 9]);
    const out = new Uint8Array(2048);
    bench.server.handleDatagram(foreign.slice(0, 1199), 4, bench.now);
    expect(bench.server.pollReply(out)).toBe(0);
    bench.server.handleDatagram(foreign.slice(), 4, bench.now);
    const size = bench.server.pollReply(out);
    expect([...out.subarray(1, size)]).toEqual([0, 0, 0, 0, 2, 8, 9, 3, 1, 2, 3, 0x6d, 0x72, 0, 1]);
    expect(bench.server.replyPath).toBe(4);
    bench.caller.handleDatagram(foreign.slice(), 4, bench.now);
    expect(bench.caller.pollReply(out)).toBe(0);
  });
});
