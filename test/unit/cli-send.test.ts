/** `millrace send` in this process: what ends it, and how its receiver learns. */
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Connection, type Listener, listen } from '../../src/index.ts';
import { freePort } from '../helpers/free-port.ts';
import { PASSPHRASE, runHere } from '../helpers/run-here.ts';

let folder = '';
let listener: Listener;
let feeding: NodeJS.Timeout | undefined;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-send-'));
  listener = await listen({ host: '127.0.0.1', passphrase: PASSPHRASE });
});
afterEach(async () => {
  clearInterval(feeding);
  await listener.close();
  rmSync(folder, { recursive: true });
});

async function nextCall(): Promise<Connection> {
  return (await listener[Symbol.asyncIterator]().next()).value;
}

/** How the next call ends, whose tracks are read. */
async function receive(): Promise<{ closeCode: number; reason: string }> {
  const connection = await nextCall();
  void (async () => {
    for await (const track of connection.incomingTracks)
      void (async () => {
        for await (const _ of track);
      })();
  })();
  return connection.closed;
}

it('an input that fails stops the others before it ends their tracks', async () => {
  const path = join(folder, 'no-clock');
  writeFileSync(path, new Uint8Array(5_000));
  const port = await freePort();
  const socket = createSocket('udp4');
  feeding = setInterval(() => socket.send(new Uint8Array(200), port, '127.0.0.1'), 1);
  const received = receive();
  const { code, said } = runHere([
    'send',
    `file:${path}`,
    `udp://127.0.0.1:${port}`,
    `millrace://127.0.0.1:${listener.address.port}`,
  ]);
  expect(await code).toBe(2);
  expect(said()).toContain('has no clock');
  expect(await received).toMatchObject({ closeCode: 0 });
  clearInterval(feeding);
  socket.close();
});

it('a signal ends a file whose receiver does not read it', async () => {
  const path = join(folder, 'large');
  writeFileSync(path, new Uint8Array(40_000_000));
  const call = nextCall();
  const args = ['--framing', 'raw', '--pace', 'off'];
  const { code, signal } = runHere([
    'send',
    `file:${path}`,
    `millrace://127.0.0.1:${listener.address.port}`,
    ...args,
  ]);
  const connection = await call;
  let before = 0;
  const isStalled = (): boolean => {
    const { bytesReceived } = connection.stats();
    const isSame = bytesReceived > 1_000_000 && bytesReceived - before < 5_000;
    before = bytesReceived;
    return isSame;
  };
  await expect.poll(isStalled, { interval: 300 }).toBe(true);
  signal();
  expect(await code).toBe(0);
  await expect(connection.closed).rejects.toThrow('interrupted');
});
