/** quic-interop-runner's `ipv6`: files of 5 and 10 kB over ::1, on real sockets. */
import { createSocket } from 'node:dgram';
import { afterEach, expect, test } from 'vitest';
import { connect, listen } from '../../../src/index.ts';

const PASSPHRASE = 'correct horse battery';
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** False on machines that know no IPv6. */
async function hasIpv6(): Promise<boolean> {
  const socket = createSocket('udp6');
  return await new Promise((resolve) => {
    socket.on('error', () => resolve(false));
    socket.bind(0, '::1', () => socket.close(() => resolve(true)));
  });
}

test.skipIf(!(await hasIpv6()))(
  'interop: ipv6 (skipped where there is no ::1)',
  { timeout: 600_000 },
  async () => {
    const listener = await listen({ host: '::1', passphrase: PASSPHRASE });
    open.push(() => listener.close());
    const { port } = listener.address;
    const caller = await connect({ host: '::1', port, resource: '' }, { passphrase: PASSPHRASE });
    open.push(() => caller.close());
    const { value: called } = await listener[Symbol.asyncIterator]().next();
    for (const size of [5_000, 10_000]) {
      const writer = (await called.createUnidirectionalStream()).getWriter();
      const written = writer.write(new Uint8Array(size)).then(() => writer.close());
      for await (const stream of caller.incomingUnidirectionalStreams) {
        let received = 0;
        for await (const piece of stream) received += piece.length;
        expect(received).toBe(size);
        break;
      }
      await written;
    }
  },
);
