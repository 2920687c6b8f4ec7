import { describe, expect, test } from 'vitest';
import type { SendStream } from '../../src/stream/send.ts';
import { connectPair, feedStream, openVideo, readStreams, sendVideo } from '../helpers/calls.ts';
import { collectFrames, makePair, type Pair } from '../helpers/pair.ts';
import { patternBytes } from '../helpers/pattern.ts';

/** A pair in a call whose datagram size is settled, with what the client sends from now on. */
function settled(datagramBytesMax: number): { pair: Pair; sent: Uint8Array[] } {
  const pair = makePair({
    seed: 1,
    up: { delayMs: 1 },
    down: { delayMs: 1 },
    startBitrateBps: 50_000_000,
    client: { datagramBytesMax },
  });
  connectPair(pair);
  pair.run(1000);
  expect(pair.client.connection.state.control.announcedBytes).toBe(datagramBytesMax);
  const sent: Uint8Array[] = [];
  pair.network.up.addTap((packet) => {
    sent.push(packet.payload as Uint8Array);
    return true;
  });
  return { pair, sent };
}

const hasLength = (packet: Uint8Array): boolean => ((packet[0] as number) & 0x20) !== 0;

function datagramsOf(pair: Pair): Uint8Array[] {
  return pair.server.events.flatMap((event) => (event.type === 'datagram' ? [event.bytes] : []));
}

describe.each([1200, 1452])('packets with an announced size of %i bytes', (announced) => {
  test('carry messages of every length near the limit; only full ones leave out Length', () => {
    const { pair, sent } = settled(announced);
    // First byte, connection ID, packet number of 2, tag; DATAGRAM type and Length.
    const whole = announced - 11 - 16 - 3;
    const sizes = Array.from({ length: 120 }, (_, i) => whole - 119 + i);
    for (const size of [0, 1, 2, 62, 63, 64, 65, ...sizes]) {
      const before = datagramsOf(pair).length;
      const packets = sent.length;
      pair.client.host.call((now) =>
        pair.client.connection.datagrams.send(patternBytes(size, size), 1e6, now),
      );
      pair.run(40);
      const got = datagramsOf(pair);
      expect(got.length).toBe(before + 1);
      expect(Buffer.compare(got.at(-1) as Uint8Array, patternBytes(size, size))).toBe(0);
      const packet = sent.slice(packets).find((bytes) => bytes.length > size) as Uint8Array;
      expect(packet.length).toBeLessThanOrEqual(announced);
      // Two bytes short of full Length makes the packet full; one byte short it does not fit, and PADDING does.
      expect(hasLength(packet)).toBe(size < whole - 1);
      if (size >= whole - 2) expect(packet.length).toBe(announced);
    }
    expect(pair.server.connection.state.counters.rejected.authentication).toBe(0);
    expect(pair.server.connection.state.counters.rejected.malformed).toBe(0);
  });

  test('carry stream pieces of every length near one and two packets', () => {
    const { pair, sent } = settled(announced);
    const seen = readStreams(pair);
    const stream = pair.client.host.call(() =>
      pair.client.connection.streams.open('unidirectional'),
    ) as SendStream;
    let offset = 0;
    for (const base of [announced, 2 * announced]) {
      for (let size = base - 70; size <= base + 10; size++) {
        const bytes = patternBytes(offset, size);
        pair.client.host.call(() => expect(stream.write(bytes)).toBe(size));
        offset += size;
        pair.run(20);
        expect(seen.bytes).toBe(offset);
      }
    }
    const open = sent.filter((packet) => !hasLength(packet));
    expect(open.length).toBeGreaterThan(80);
    expect(open.every((packet) => packet.length === announced)).toBe(true);
    expect(pair.server.connection.state.counters.rejected.authentication).toBe(0);
  });

  test('that a kernel hands over in one piece are told apart', () => {
    const { pair, sent } = settled(announced);
    const seen = readStreams(pair);
    pair.network.up.addTap(() => false);
    const stream = pair.client.host.call(() =>
      pair.client.connection.streams.open('unidirectional'),
    ) as SendStream;
    feedStream(pair, stream, 9_000);
    expect(sent.length).toBeGreaterThan(5);
    expect(sent.slice(0, -1).every((packet) => packet.length === announced)).toBe(true);
    const joined = Uint8Array.from(Buffer.concat(sent));
    const { counters } = pair.server.connection.state;
    const before = counters.packetsReceived;
    pair.server.host.call((now) => pair.server.connection.handleDatagram(joined, 0, now));
    expect(counters.packetsReceived - before).toBe(sent.length);
    expect(seen).toEqual({ bytes: 9_000, isFinished: true });
  });
});

describe('while the announcement of a size is not acknowledged', () => {
  test('every packet has Length, full ones of the old size too', () => {
    const pair = makePair({ seed: 1, up: { delayMs: 1 }, down: { delayMs: 1 }, startBitrateBps: 50_000_000 });
    const sent: Uint8Array[] = [];
    connectPair(pair);
    pair.run(1000);
    pair.network.up.addTap((packet) => {
      sent.push(packet.payload as Uint8Array);
      return true;
    });
    pair.client.connection.state.control.announceSize(1452);
    pair.network.down.blackout(50);
    const stream = pair.client.host.call(() =>
      pair.client.connection.streams.open('unidirectional'),
    ) as SendStream;
    readStreams(pair);
    feedStream(pair, stream, 9_000);
    expect(sent.length).toBeGreaterThan(5);
    expect(sent.every(hasLength)).toBe(true);
    pair.run(500);
    expect(pair.client.connection.state.control.announcedBytes).toBe(1452);
  });
});

describe('media frames of every size around one packet', () => {
  test.each([1200, 1452])('arrive whole at a datagram size of %i', (announced) => {
    const { pair } = settled(announced);
    const frames = collectFrames(pair, pair.server);
    const track = openVideo(pair);
    for (let size = announced - 75; size < announced - 15; size++) sendVideo(pair, track, 1, size);
    pair.run(300);
    expect(frames.map(({ frame }) => frame.data.length)).toEqual(
      Array.from({ length: 60 }, (_, i) => announced - 75 + i),
    );
    expect(pair.server.connection.state.counters.rejected.authentication).toBe(0);
  });
});
