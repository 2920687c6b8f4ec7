/** Who a listener lets in, how it ends, and what it does with what strangers bring about. */
import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type Connection,
  connect,
  type Listener,
  type ListenOptions,
  listen,
  TransportError,
} from '../../src/index.ts';
import { setWarningPrinter } from '../../src/node/log.ts';
import { ca, server } from '../helpers/certificates.ts';
import { freePort } from '../helpers/free-port.ts';
import { UdpRelay } from '../helpers/udp-relay.ts';

const passphrase = 'correct horse battery';
const host = '127.0.0.1';
const warnings = vi.fn();
const listeners: Listener[] = [];

/** A listener that is closed with the test. */
async function open(options: ListenOptions = {}): Promise<Listener> {
  const listener = await listen({ host, passphrase, ...options });
  listeners.push(listener);
  return listener;
}

function call(listener: Listener, word: string = passphrase): ReturnType<typeof connect> {
  return connect({ host, port: listener.address.port, resource: 'x' }, { passphrase: word, timeout: 60_000 });
}

beforeEach(() => {
  warnings.mockClear();
  setWarningPrinter(warnings);
});
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close();
});

describe('authorize', () => {
  test.each([
    ['true', true],
    ['the passphrase', passphrase],
  ])('lets in by %s', async (_, verdict) => {
    const listener = await open({ authorize: async () => verdict as true });
    const connection = await call(listener);
    await connection.close();
  });

  test.each([
    false,
    undefined,
    null,
    0,
    1,
    '',
    {},
    { reject: undefined },
    { reject: { code: -1, reason: 'no' } },
    { reject: { code: 1.5, reason: 'no' } },
    { reject: { code: 'busy', reason: 'no' } },
    { reject: { code: 2 ** 60, reason: 'no' } },
    { reject: { code: 4, reason: 5 } },
  ])('lets nobody in by %j: the caller is refused with code 1', async (verdict) => {
    const listener = await open({ authorize: async () => verdict as unknown as true });
    await expect(call(listener)).rejects.toMatchObject({ code: 'ERR_MILLRACE_REJECTED', wireCode: 1 });
  });

  test('refuses with its code, whether or not it says why', async () => {
    const listener = await open({ authorize: () => ({ reject: { code: 404 } }) as unknown as true });
    await expect(call(listener)).rejects.toMatchObject({ code: 'ERR_MILLRACE_REJECTED', wireCode: 404 });
  });

  test('that fails refuses, and the process is warned of it once', async () => {
    const listener = await open({
      authorize: () => {
        throw new Error('the database is gone');
      },
    });
    const refused = { code: 'ERR_MILLRACE_REJECTED', wireCode: 1 };
    await expect(call(listener)).rejects.toMatchObject(refused);
    await expect(call(listener)).rejects.toMatchObject(refused);
    expect(warnings.mock.calls).toEqual([[expect.stringContaining('the database is gone')]]);
  });

  test('must be a function', async () => {
    await expect(listen({ passphrase, authorize: true as unknown as () => true })).rejects.toThrow(TypeError);
    await expect(listen({ passphrase, authorize: null as unknown as () => true })).rejects.toThrow(TypeError);
  });
});

describe('a listener that is closed', () => {
  test('takes no more callers, though one that is gone without a word keeps it waiting, and gives its port back', async () => {
    const listener = await open();
    const { port } = listener.address;
    const relay = await UdpRelay.open(port);
    const gone = await connect({ host, port: relay.port }, { passphrase, timeout: 60_000 });
    await listener[Symbol.asyncIterator]().next();
    relay.forget();
    const closed = listener.close();
    await expect(connect({ host, port }, { passphrase, timeout: 300 })).rejects.toThrow(/answer|listens/);
    await closed;
    expect(listener.getStats().connections).toBe(0);
    await open({ port });
    await gone.close();
    relay.close();
  });

  test('gives its port back when it is fulfilled, though a caller has only just left', async () => {
    const listener = await open();
    const { port } = listener.address;
    const connection = await call(listener);
    await connection.close();
    await listener.close();
    await open({ port });
  });

  test('still tells the address that it had, and leaves nothing at its signal', async () => {
    const { signal } = new AbortController();
    const listener = await open({ signal });
    const { address } = listener;
    expect(getEventListeners(signal, 'abort').length).toBe(1);
    await listener.close();
    expect(listener.address).toEqual(address);
    expect(getEventListeners(signal, 'abort').length).toBe(0);
  });

  test('with a code that does not travel goes on', async () => {
    const listener = await open();
    await expect(listener.close({ closeCode: -1 })).rejects.toThrow(RangeError);
    await (await call(listener)).close();
  });
});

describe('onCallerFailed', () => {
  const fail = (): never => {
    throw new Error('the disk is full');
  };

  test.each([
    ['throws', fail],
    ['rejects', async () => fail()],
  ])('that %s ends nothing: the next caller is served', async (_, failing) => {
    const onCallerFailed = vi.fn(failing);
    const listener = await open({ onCallerFailed });
    await expect(call(listener, 'another passphrase')).rejects.toMatchObject({
      code: 'ERR_MILLRACE_PASSPHRASE',
    });
    await expect.poll(() => onCallerFailed.mock.calls.length).toBe(1);
    await (await call(listener)).close();
    expect(warnings.mock.calls).toEqual([[expect.stringContaining('the disk is full')]]);
  });
});

test('a connection that this end has failed tells of its end once', async () => {
  const listener = await open();
  const connection = await call(listener);
  const onClose = vi.fn();
  connection.addEventListener('close', onClose);
  connection.fail(new TransportError('ERR_MILLRACE_ABORTED', 'enough'));
  await expect(connection.closed).rejects.toMatchObject({ code: 'ERR_MILLRACE_ABORTED' });
  await expect.poll(() => listener.getStats().connections).toBe(0);
  expect(onClose.mock.calls.length).toBe(1);
});

describe('a packet for a connection that the listener does not know', () => {
  const resetKey = 'sixteen characters, and more';

  /** The listener tells the tokens with its first packets; what was asked after those is answered after them. */
  async function haveTokens(connection: Connection): Promise<void> {
    await connection.report();
    await connection.report();
  }

  test.each<[string, ListenOptions]>([
    ['certificate', { passphrase: undefined, ...server }],
    ['resetKey', { resetKey }],
  ])('ends no connection to another listener with the same %s', async (_, options) => {
    const own = await open({ port: await freePort(), ...options });
    const other = await open({ port: await freePort(), ...options });
    const relay = await UdpRelay.open(own.address.port);
    const credentials = options.cert === undefined ? { passphrase } : { ca };
    const connection = await connect({ host, port: relay.port }, { ...credentials, timeout: 60_000 });
    const accepted = (await own[Symbol.asyncIterator]().next()).value as Connection;
    await haveTokens(connection);
    relay.redirect(other.address.port);
    while (other.getStats().resetsSent === 0) {
      connection.datagrams.send(new Uint8Array(500));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    relay.redirect(own.address.port);
    const stream = await connection.createUnidirectionalStream();
    await stream.getWriter().close();
    await accepted.incomingUnidirectionalStreams[Symbol.asyncIterator]().next();
    await connection.close();
    relay.close();
  });

  test('tells the caller so when the listener was restarted with its resetKey', async () => {
    const port = await freePort();
    const before = await open({ port, resetKey });
    let isDown = false;
    const relay = await UdpRelay.open(port, (forward) => {
      if (!isDown) forward();
    });
    const connection = await connect({ host, port: relay.port }, { passphrase, timeout: 60_000 });
    await haveTokens(connection);
    isDown = true;
    await before.close();
    await open({ port, resetKey });
    isDown = false;
    connection.datagrams.send(new Uint8Array(500));
    await expect(connection.closed).rejects.toMatchObject({ code: 'ERR_MILLRACE_FORGOTTEN' });
    relay.close();
  });
});
