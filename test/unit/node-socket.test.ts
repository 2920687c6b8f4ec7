/** What the driver and its sockets do when the kernel refuses: its buffer is full, a batch cannot be cut. */
import { createSocket, Socket } from 'node:dgram';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { connect, listen } from '../../src/index.ts';
import { SEND_QUEUE_MAX, UdpSocket } from '../../src/node/socket.ts';

const host = '127.0.0.1';
const passphrase = 'correct horse battery';

afterEach(() => vi.restoreAllMocks());

const events = { onDatagram: () => {}, onUnanswerable: () => {}, onIcmp: () => {}, onError: () => {} };

describe('while the kernel takes no more', () => {
  test('no datagram is handed to it, neither of a paced sender nor a stateless reply, and all goes on after', async () => {
    // Faults befall single datagrams, so nothing is sent in batches.
    const listener = await listen({ host, passphrase, faults: {} });
    const { port } = listener.address;
    const connection = await connect({ host, port }, { passphrase, faults: {} });
    const accepted = (await listener[Symbol.asyncIterator]().next()).value;
    const stranger = createSocket('udp4');
    const foreign = new Uint8Array(1200);
    foreign.set([0xc0, 0xab, 0xcd, 0, 1, 3, 1, 2, 3, 2, 8, 9]);
    let handed = 0;
    const send = Socket.prototype.send as (...args: unknown[]) => void;
    const asked = vi.spyOn(Socket.prototype, 'getSendQueueCount').mockReturnValue(SEND_QUEUE_MAX);
    const sent = vi.spyOn(Socket.prototype, 'send').mockImplementation(function (
      this: Socket,
      ...args: unknown[]
    ) {
      if (this === stranger) send.apply(this, args);
      else handed++;
    });
    stranger.send(foreign, port, host);
    connection.datagrams.send(new Uint8Array(100), { maxAge: 600_000 });
    await expect.poll(() => listener.getStats().versionsSent).toBe(1);
    await expect.poll(() => asked.mock.calls.length).toBeGreaterThan(10);
    expect(handed).toBe(0);
    asked.mockRestore();
    sent.mockRestore();
    expect((await accepted.datagrams[Symbol.asyncIterator]().next()).value.length).toBe(100);
    stranger.close();
    await connection.close();
    await listener.close();
  });
});

describe('a batch that fails', () => {
  test.each([
    ['EIO', false],
    ['EINVAL', false],
    ['EMSGSIZE', false],
    ['ENOBUFS', true],
    ['ENETUNREACH', true],
    ['EPERM', true],
  ])('with %s: batches go on: %s', async (code, goesOn) => {
    const socket = await UdpSocket.open({ port: 0, family: 4, remote: { host, port: 9 } }, events);
    socket.canBatch = true;
    vi.spyOn(Socket.prototype, 'send').mockImplementation((...args: unknown[]) => {
      (args.at(-1) as (error: Error) => void)(Object.assign(new Error(code), { code }));
    });
    socket.sendBatch(Buffer.alloc(3000), 3000, 0);
    expect(socket.canBatch).toBe(goesOn);
    socket.close();
  });
});

describe('a datagram from port 0, where nobody can be answered,', () => {
  /** Has a socket hear of a datagram: dgram itself sends none from there. */
  function hear(socket: Socket, port: number): void {
    socket.emit('message', Buffer.alloc(10), { address: host, family: 'IPv4', port, size: 10 });
  }

  test('is dropped where it comes in', async () => {
    const bound = vi.spyOn(Socket.prototype, 'bind');
    const heard: string[] = [];
    const onDatagram = (): number => heard.push('datagram');
    const onUnanswerable = (): number => heard.push('unanswerable');
    const socket = await UdpSocket.open({ port: 0, family: 4 }, { ...events, onDatagram, onUnanswerable });
    for (const port of [0, 9]) hear(bound.mock.contexts[0] as Socket, port);
    expect(heard).toEqual(['unanswerable', 'datagram']);
    socket.close();
  });

  test('counts among those of a listener that belong to no connection', async () => {
    const bound = vi.spyOn(Socket.prototype, 'bind');
    const listener = await listen({ host, passphrase });
    hear(bound.mock.contexts[0] as Socket, 0);
    expect(listener.getStats().unroutable).toBe(1);
    await listener.close();
  });
});

test('what dgram refuses to send is lost like any other datagram', async () => {
  const socket = await UdpSocket.open({ port: 0, family: 4 }, events);
  const path = socket.paths.pathOf(host, 0);
  expect(() => socket.send(Buffer.alloc(100), 100, path)).not.toThrow();
  expect(() => socket.sendBatch(Buffer.alloc(3000), 3000, path)).not.toThrow();
  socket.close();
});

test('nobody else can bind the port of a socket, one that shares its own neither', async () => {
  const socket = await UdpSocket.open({ host, port: 0, family: 4 }, events);
  const other = createSocket({ type: 'udp4', reuseAddr: true });
  const bound = new Promise((resolve, reject) => {
    other.once('error', reject);
    other.bind(socket.address.port, host, () => resolve(undefined));
  });
  await expect(bound).rejects.toMatchObject({ code: 'EADDRINUSE' });
  other.close();
  socket.close();
});
