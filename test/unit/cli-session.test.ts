import { expect, test } from 'vitest';
import { TransportError } from '../../src/base/errors.ts';
import type { CliOptions } from '../../src/cli/option-values.ts';
import { runSession, type SessionPlan } from '../../src/cli/session.ts';
import { parseMillraceUri } from '../../src/cli/uri.ts';
import { listen } from '../../src/index.ts';

const passphrase = 'only for a test';

/** A call that is lost as soon as it stands, twice if there is a second one; returns how many there were. */
async function callsMade(options: CliOptions): Promise<number> {
  const listener = await listen({ passphrase, host: '127.0.0.1', port: 0 });
  const control = new AbortController();
  let calls = 0;
  const plan: SessionPlan = {
    uri: parseMillraceUri(`millrace://127.0.0.1:${listener.address.port}`),
    options,
    credentials: { passphrase },
    startBitrate: undefined,
    admit: () => true,
    note: () => {},
    signal: control.signal,
    clock: { nowUs: () => 0, waitUntil: async () => {} },
  };
  const session = runSession(plan, async (connection) => {
    calls++;
    await connection.close();
    if (calls === 2) control.abort();
    throw new TransportError('ERR_MILLRACE_IDLE_TIMEOUT', 'nothing heard');
  });
  await expect(session).rejects.toThrow('nothing heard');
  await listener.close();
  return calls;
}

test('with --reconnect a live call that is lost is made again', async () => {
  expect(await callsMade({ reconnect: true })).toBe(2);
});

test('a file of which a part has been sent is not: the other end would get the rest alone', async () => {
  expect(await callsMade({ reconnect: true, pace: 'off' })).toBe(1);
});
