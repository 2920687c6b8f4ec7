import { describe, expect, test } from 'vitest';
import { Writer } from '../../src/base/bytes.ts';
import type { Connection } from '../../src/connection/connection.ts';
import { FrameType } from '../../src/wire/frame-types.ts';
import { writeShortHeader } from '../../src/wire/header.ts';
import { Bench } from '../helpers/endpoints.ts';
import { HostilePeer } from '../helpers/hostile-peer.ts';
import { bytesInUse } from '../helpers/memory.ts';

const ping = (writer: Writer): void => writer.u8(FrameType.PING);

describe('an address that has proven nothing', () => {
  test('gets no more than three times what it sent, a long reason for the end included', () => {
    const peer = new HostilePeer();
    peer.drain();
    const path = 999;
    const received = peer.send(ping, path, 64);
    const { active } = peer.server.state.paths;
    peer.drain();
    peer.server.close(true, 1, 'x'.repeat(256), peer.bench.now);
    peer.drain();
    expect(active.bytesReceived).toBe(received);
    expect(active.bytesSent).toBeGreaterThan(0);
    expect(active.bytesSent).toBeLessThanOrEqual(3 * received);
  });
});

describe('a packet that was refused for want of room', () => {
  /** One byte of stream 0: each second one leaves a gap, of which a stream keeps so many and no more. */
  function stream(writer: Writer, offset: number): void {
    writer.u8(FrameType.STREAM | 4 | 2);
    for (const value of [0, offset, 1, 7]) writer.varint(value);
  }

  test('is not read again, however many have been refused since', () => {
    const peer = new HostilePeer();
    const { counters } = peer.server.state;
    for (let i = 1; i <= 1_000; i++) peer.send((writer) => stream(writer, 2 * i));
    let delivered = 0;
    const count = (): number => {
      for (let event = peer.server.pollEvent(); event !== undefined; event = peer.server.pollEvent()) {
        if (event.type === 'datagram') delivered++;
      }
      return delivered;
    };
    const refused = peer.make((writer) => {
      writer.u8(FrameType.DATAGRAM | 1);
      for (const value of [3, 1, 2, 3]) writer.varint(value);
      stream(writer, 4_000);
    });
    peer.replay(refused);
    expect(count()).toBe(1);
    for (let i = 0; i < 200; i++) peer.send((writer) => stream(writer, 5_000 + 2 * i));
    const before = counters.rejected.duplicate;
    peer.replay(refused);
    expect(count()).toBe(1);
    expect(counters.rejected.duplicate).toBe(before + 1);
    expect(peer.server.isOpen).toBe(true);
  });
});

describe('a caller without keys', () => {
  /** A server that has heard its first packet, and a short header that reaches it. */
  function halfOpen(): {
    bench: Bench;
    server: Connection;
    datagram(bytes: number, packetBytes: number): Uint8Array;
  } {
    const bench = new Bench();
    const first = bench.poll(bench.dial()) as Uint8Array;
    const server = bench.server.handleDatagram(first, 7, bench.now) as Connection;
    const { localId } = server.state.options;
    return {
      bench,
      server,
      datagram: (bytes, packetBytes) => {
        const datagram = new Uint8Array(bytes);
        writeShortHeader(new Writer().reset(datagram), localId, 0, 0, 2, packetBytes - 11);
        return datagram;
      },
    };
  }

  test('has of its packets kept what they are long, not the datagrams that they came in', () => {
    const { bench, server, datagram } = halfOpen();
    const before = bytesInUse();
    for (let i = 0; i < 2_000; i++) bench.server.handleDatagram(datagram(65_000, 40), 7, bench.now);
    expect(bytesInUse() - before).toBeLessThan(5_000_000);
    expect(server.state.counters.rejected.keys).toBeGreaterThan(0);
  });

  test('has no packet kept that is too short to open', () => {
    const { bench, server, datagram } = halfOpen();
    bench.server.handleDatagram(datagram(1_200, 13), 7, bench.now);
    expect(server.state.counters.rejected.keys).toBe(1);
  });
});
