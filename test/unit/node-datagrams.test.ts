import { expect, test } from 'vitest';
import type { Connection as Core } from '../../src/connection/connection.ts';
import { Datagrams } from '../../src/node/datagrams.ts';

test('messages that wait for the application do not keep the batches of packets alive that they came in', async () => {
  const datagrams = new Datagrams({} as Core, () => {});
  const batch = new Uint8Array(65_536).fill(7);
  datagrams.onDatagram(batch.subarray(100, 105));
  datagrams.onDatagram(batch.subarray(0, 60_000));
  const messages = datagrams[Symbol.asyncIterator]();
  const small = (await messages.next()).value as Uint8Array;
  expect(small).toEqual(new Uint8Array(5).fill(7));
  expect(small.buffer.byteLength).toBe(5);
  expect(((await messages.next()).value as Uint8Array).buffer).toBe(batch.buffer);
});
