/** What `connect` and `listen` do before the first datagram: name services that say nothing or fail, slow keys, early signals. */
import { describe, expect, test, vi } from 'vitest';

const UNREADY = 'a key that is never ready';

vi.mock('node:dns/promises', () => ({
  lookup: async (host: string) => {
    const found = {
      '127.0.0.1': ['127.0.0.1'],
      '127.0.0.2': ['127.0.0.2'],
      'two.example': ['127.0.0.2', '127.0.0.1'],
    }[host];
    if (found !== undefined) return found.map((address) => ({ address, family: 4 }));
    const code = { 'offline.example': 'EAI_AGAIN', 'wrong.example': 'ENOTFOUND' }[host];
    if (code !== undefined) throw Object.assign(new Error(`getaddrinfo ${code} ${host}`), { code });
    return new Promise(() => {});
  },
}));
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  const scrypt = (...args: Parameters<typeof crypto.scrypt>): void => {
    if (args[0] !== UNREADY) crypto.scrypt(...args);
  };
  return { ...crypto, scrypt };
});

const { connect, listen } = await import('../../src/index.ts');

const passphrase = 'correct horse battery';
const url = 'millrace://silent.example:9000/';

describe('a name service that says nothing', () => {
  test('is waited for as long as the attempt may take', async () => {
    const attempt = connect(url, { passphrase, timeout: 30 });
    const message = expect.stringMatching(/^no answer from the name service within 0.03 s;/);
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_MILLRACE_TIMEOUT', message });
  });

  test('is not waited for once the attempt is aborted', async () => {
    const control = new AbortController();
    const attempt = connect(url, { passphrase, timeout: 600_000, signal: control.signal });
    setImmediate(() => control.abort());
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_MILLRACE_ABORTED' });
  });
});

describe('a host with two addresses', () => {
  test('is reached at the second when nobody listens at the first', async () => {
    const listener = await listen({ host: '127.0.0.1', passphrase });
    const { port } = listener.address;
    const connection = await connect({ host: 'two.example', port }, { passphrase });
    expect(connection.remoteAddress).toEqual({ host: '127.0.0.1', port });
    await connection.close();
    await listener.close();
  });

  test('is called no second time by whoever was turned away at the first', async () => {
    const first = await listen({ host: '127.0.0.2', passphrase: 'wrong horse battery' });
    const { port } = first.address;
    const second = await listen({ host: '127.0.0.1', port, passphrase });
    const attempt = connect({ host: 'two.example', port }, { passphrase });
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_MILLRACE_PASSPHRASE' });
    expect(second.getStats().connections).toBe(0);
    await Promise.all([first.close(), second.close()]);
  });
});

test('a key that is not ready in time is not blamed on the name service', async () => {
  const attempt = connect('millrace://127.0.0.1:9000/', { passphrase: UNREADY, timeout: 30 });
  const message = expect.stringMatching(/^the key of the passphrase was not ready within 0.03 s;/);
  await expect(attempt).rejects.toMatchObject({ code: 'ERR_MILLRACE_TIMEOUT', message });
});

describe('a name without an address is', () => {
  test.each([
    [
      'unknown, where the name service says so',
      'wrong.example',
      /^the host name wrong.example does not resolve$/,
    ],
    [
      'not called wrong, where it cannot be reached',
      'offline.example',
      /^the name service cannot be reached/,
    ],
  ])('%s', async (_, host, text) => {
    const failure = { code: 'ERR_MILLRACE_UNKNOWN_HOST', message: expect.stringMatching(text) };
    await expect(connect({ host, port: 9000 }, { passphrase })).rejects.toMatchObject(failure);
    await expect(listen({ host, passphrase })).rejects.toMatchObject(failure);
  });
});

test('a listener whose signal came before it does not begin', async () => {
  const attempt = listen({ passphrase, signal: AbortSignal.abort() });
  await expect(attempt).rejects.toMatchObject({ code: 'ERR_MILLRACE_ABORTED' });
});

test('a lossTolerance that there is not is the caller’s mistake', async () => {
  const lossTolerance = 'none' as 'aggressive';
  await expect(connect(url, { passphrase, lossTolerance })).rejects.toThrow(TypeError);
  await expect(listen({ passphrase, lossTolerance })).rejects.toThrow(TypeError);
});

test('a signal that is none is the caller’s mistake at once, and nothing goes on behind it', async () => {
  const signal = {} as AbortSignal;
  const armed = vi.spyOn(globalThis, 'setTimeout');
  await expect(connect(url, { passphrase, signal })).rejects.toThrow(TypeError);
  await expect(listen({ passphrase, signal })).rejects.toThrow(TypeError);
  expect(armed).not.toHaveBeenCalled();
  armed.mockRestore();
});

test('a resource with a % that begins no escape is a TypeError that says what to write', async () => {
  const attempt = connect('millrace://127.0.0.1:9000/%zz', { passphrase });
  await expect(attempt).rejects.toThrow(TypeError);
  await expect(attempt).rejects.toThrow('write %25');
});
