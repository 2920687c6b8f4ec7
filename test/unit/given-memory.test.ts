/** What applications are given belongs to them: they write into it, and give it away with its memory. */
import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { Connection as Core } from '../../src/connection/connection.ts';
import { BlockDecoder } from '../../src/fec/decoder.ts';
import { BlockEncoder } from '../../src/fec/encoder.ts';
import { ReferenceCodec } from '../../src/fec/reference-codec.ts';
import { Datagrams } from '../../src/node/datagrams.ts';
import { SymbolDrop } from '../../src/track/receive.ts';
import { libraryPair } from '../helpers/library-pair.ts';
import { one, ReceiverProbe } from '../helpers/track-symbols.ts';

const OWD = 20 * MILLISECOND;

/** As `postMessage(bytes, [bytes.buffer])` does. */
function giveAway(bytes: Uint8Array): void {
  structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
}

describe('a media frame of one symbol', () => {
  const frames = [0, 1, 2].map((id) => one(id, 0));
  const repair = new BlockEncoder(new ReferenceCodec()).encode(frames, 0, 1)[0] as Uint8Array;

  test.each([
    ['written into', (data: Uint8Array): unknown => data.fill(0)],
    ['given away', giveAway],
  ])('may be %s: others that are rebuilt from its symbol are right', (_, spoil) => {
    const probe = new ReceiverProbe({ order: 'none' });
    for (const id of [0, 2]) {
      probe.symbol(id, Uint8Array.from(frames[id] as Uint8Array), OWD);
      spoil(probe.frames.at(-1)?.data as Uint8Array);
    }
    expect(probe.repair(0, 3, 0, repair, OWD)).toBe(SymbolDrop.NONE);
    expect(probe.frames.at(-1)).toMatchObject({ frameId: 1, how: 'fec', data: new Uint8Array(10).fill(2) });
  });

  test('may be written into after it was rebuilt: those that follow from it are right', () => {
    const [a, b, c] = frames as [Uint8Array, Uint8Array, Uint8Array];
    const encoder = new BlockEncoder(new ReferenceCodec());
    const probe = new ReceiverProbe({ order: 'none' });
    probe.symbol(0, Uint8Array.from(a), OWD);
    probe.repair(0, 2, 0, encoder.encode([a, b], 0, 1)[0] as Uint8Array, OWD);
    probe.frames.at(-1)?.data.fill(0);
    probe.repair(1, 2, 0, encoder.encode([b, c], 0, 1)[0] as Uint8Array, OWD);
    expect(probe.frames.at(-1)).toMatchObject({ frameId: 2, how: 'fec', data: new Uint8Array(10).fill(3) });
  });

  test('does not share the packet with another', () => {
    const packet = new Uint8Array(1_200);
    const probe = new ReceiverProbe({ order: 'none' });
    for (const id of [0, 1]) {
      const symbol = frames[id] as Uint8Array;
      packet.set(symbol, id * 600);
      probe.symbol(id, packet.subarray(id * 600, id * 600 + symbol.length), OWD);
    }
    giveAway(probe.frames[0]?.data as Uint8Array);
    expect(probe.frames[1]?.data).toEqual(new Uint8Array(10).fill(2));
    expect(packet.length).toBe(1_200);
  });
});

test('a decoder that somebody else detached the memory of forgets it all the same', () => {
  const decoder = new BlockDecoder(new ReferenceCodec());
  for (let id = 0; id < 10; id++) {
    const packet = new Uint8Array(1_200);
    decoder.onSymbol(id, packet.subarray(30, 1_180));
    giveAway(packet);
  }
  decoder.keepAtMost(0);
  expect(decoder.onSymbol(9, new Uint8Array(10))).not.toBe(0);
});

test('the chunk of a stream may be given away: the rest of its packet stays', async () => {
  const link = libraryPair(6);
  for (const byte of [1, 2]) {
    void link.client.streams.createUnidirectional({}).getWriter().write(new Uint8Array(100).fill(byte));
  }
  await link.run(50);
  const incoming = link.server.streams.incomingUnidirectional[Symbol.asyncIterator]();
  for (const byte of [1, 2]) {
    const { value } = await (await incoming.next()).value.getReader().read();
    expect(value).toEqual(new Uint8Array(100).fill(byte));
    giveAway(value);
  }
});

test('an app datagram may be given away, however much of its packet it is', async () => {
  const packet = new Uint8Array(1_200).fill(7);
  const datagrams = new Datagrams(
    {} as Core,
    () => {},
    () => 0,
  );
  datagrams.onDatagram(packet.subarray(20, 1_180));
  const { value } = await datagrams[Symbol.asyncIterator]().next();
  expect(value).toEqual(new Uint8Array(1_160).fill(7));
  giveAway(value);
  expect(packet.length).toBe(1_200);
});
