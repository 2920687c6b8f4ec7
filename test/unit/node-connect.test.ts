/** What `connect` and `listen` do before the first datagram: name services that say nothing, signals that came before. */
import { describe, expect, test, vi } from 'vitest';

vi.mock('node:dns/promises', () => ({ lookup: () => new Promise(() => {}) }));

const { connect, listen } = await import('../../src/index.ts');

const passphrase = 'correct horse battery';
const url = 'millrace://silent.example:9000/';

describe('a name service that says nothing', () => {
  test('is waited for as long as the attempt may take', async () => {
    const attempt = connect(url, { passphrase, timeout: 30 });
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_MILLRACE_TIMEOUT' });
  });

  test('is not waited for once the attempt is aborted', async () => {
    const control = new AbortController();
    const attempt = connect(url, { passphrase, timeout: 600_000, signal: control.signal });
    setImmediate(() => control.abort());
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_MILLRACE_ABORTED' });
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
