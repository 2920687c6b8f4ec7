/** A listener in a crowd, on real sockets and with TLS: the keys of both ends are bound to the Retry token. */
import { createSocket } from 'node:dgram';
import { expect, test } from 'vitest';
import { PlainHandshake } from '../../src/crypto/plain-handshake.ts';
import { Endpoint, UNPROVEN_MAX } from '../../src/endpoint.ts';
import { connect, listen } from '../../src/index.ts';
import { bestCrypto } from '../../src/node/seal.ts';
import { shared } from '../helpers/endpoints.ts';

test('a caller is connected by way of a Retry while others keep every free handshake busy', async () => {
  const passphrase = 'correct horse battery';
  const listener = await listen({ host: '127.0.0.1', passphrase });
  const { port } = listener.address;
  const strangers = new Endpoint({ ...shared(1), crypto: bestCrypto() });
  const socket = createSocket('udp4');
  const out = new Uint8Array(2048);
  for (let i = 0; i < 2 * UNPROVEN_MAX; i++) {
    const stranger = strangers.dial({ handshake: new PlainHandshake({ isServer: false }), path: 0 }, 0);
    const packet = out.slice(0, stranger.pollTransmit(out, 0));
    await new Promise<void>((resolve) => socket.send(packet, port, '127.0.0.1', () => resolve()));
  }
  while (listener.getStats().retriesSent === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(listener.getStats().handshakes).toBe(UNPROVEN_MAX);
  const before = listener.getStats().retriesSent;
  const connection = await connect({ host: '127.0.0.1', port, resource: '' }, { passphrase });
  expect(listener.getStats().retriesSent).toBeGreaterThan(before);
  const stream = await connection.createBidirectionalStream();
  await stream.writable.getWriter().write(Uint8Array.of(1, 2, 3));
  const { value: called } = await listener[Symbol.asyncIterator]().next();
  for await (const { readable } of called.incomingBidirectionalStreams) {
    const { value } = await readable.getReader().read();
    expect([...(value as Uint8Array)]).toEqual([1, 2, 3]);
    break;
  }
  await connection.close();
  socket.close();
  await listener.close();
});
