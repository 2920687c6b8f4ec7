import { expect, test } from 'vitest';
import type { Connection as Core } from '../../src/connection/connection.ts';
import { connect, listen } from '../../src/index.ts';
import { Datagrams } from '../../src/node/datagrams.ts';
import { libraryPair } from '../helpers/library-pair.ts';

test('messages that wait for the application do not keep the batches of packets alive that they came in', async () => {
  const datagrams = new Datagrams(
    {} as Core,
    () => {},
    () => 0,
  );
  const batch = new Uint8Array(65_536).fill(7);
  datagrams.onDatagram(batch.subarray(100, 105));
  const messages = datagrams[Symbol.asyncIterator]();
  const small = (await messages.next()).value as Uint8Array;
  expect(small).toEqual(new Uint8Array(5).fill(7));
  expect(small.buffer.byteLength).toBe(5);
});

test('maxAge is a number from 0, Infinity too', () => {
  const { pair } = libraryPair(1);
  const datagrams = new Datagrams(
    pair.client.connection,
    () => {},
    () => pair.sim.now,
  );
  const send = (maxAge: unknown): unknown => datagrams.send(new Uint8Array(1), { maxAge: maxAge as number });
  for (const maxAge of [Number.NaN, 'x', null]) expect(() => send(maxAge)).toThrow(TypeError);
  expect(() => send(-5)).toThrow(RangeError);
  for (const maxAge of [undefined, 0, 0.5, Number.POSITIVE_INFINITY])
    expect(() => send(maxAge)).not.toThrow();
});

test('a message that is too old to leave settles at once, on a connection that is otherwise idle', async () => {
  const host = '127.0.0.1';
  const passphrase = 'correct horse battery';
  const listener = await listen({ host, passphrase });
  const connection = await connect({ host, port: listener.address.port }, { passphrase });
  // What the handshake leaves to do wakes the connection too.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await expect(connection.datagrams.send(new Uint8Array(1), { maxAge: 0 }).settled).resolves.toBe('expired');
  await connection.close();
  await listener.close();
});
