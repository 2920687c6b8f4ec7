/** Credentials that TLS does not take: the caller's, or the listener's, own mistake, told at once. */
import { expect, test } from 'vitest';
import { type ConnectOptions, type Credentials, connect, listen } from '../../src/index.ts';
import { client, server } from '../helpers/certificates.ts';

const mistakes: readonly [string, Credentials][] = [
  ['a certificate that is no PEM', { cert: 'garbage', key: server.key }],
  ['a key that is no PEM', { cert: server.cert, key: 'garbage' }],
  ['the key of another certificate', { cert: server.cert, key: client.key }],
];

function udpHandles(): number {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith('UDP')).length;
}

test.each<[string, ConnectOptions]>([
  ...mistakes,
  ['a pin of another form', { pin: 'sha256:zz' }],
  ['an identity with a zero', { identity: 'a\0b', passphrase: 'correct horse battery' }],
])('a call with %s is a TypeError, and no socket stays open', async (_, options) => {
  const before = udpHandles();
  const error = await connect('millrace://127.0.0.1:9', options).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(TypeError);
  expect(error.message).toMatch(/PEM|pin|identity/);
  await expect.poll(udpHandles).toBe(before);
});

test.each(mistakes)('a listener with %s does not begin', async (_, credentials) => {
  await expect(listen({ host: '127.0.0.1', ...credentials })).rejects.toThrow(TypeError);
});
