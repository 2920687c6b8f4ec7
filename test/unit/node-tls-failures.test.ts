/** TLS handshakes that fail, and what both ends say of it. */
import { describe, expect, test } from 'vitest';
import { createClientHandshake, createServerHandshake, type TlsCredentials } from '../../src/node/tls.ts';
import * as certificates from '../helpers/certificates.ts';
import { expectFailure, handshake } from '../helpers/tls-pair.ts';

const psk = new Uint8Array(32).fill(1);
const otherPsk = new Uint8Array(32).fill(2);
const { ca, server, client } = certificates;
const caller: TlsCredentials = { servername: 'localhost', ca };

describe('failed TLS handshake', () => {
  test('says at both ends that the passphrase differs', async () => {
    const { client, server, traffic } = await handshake({ psk }, { psk: otherPsk });
    expectFailure(client, 'ERR_MILLRACE_PASSPHRASE', 47, /^the passphrase differs; give both ends the same/);
    expectFailure(server, 'ERR_MILLRACE_PASSPHRASE', 47, /^the passphrase differs; give both ends the same/);
    expect(traffic.serverBytes.toString('hex')).toBe('1503030002022f');
  });

  test('says at both ends that an identity is unknown', async () => {
    const { client, server } = await handshake({ psk, identity: 'cam 9' }, { pskFor: () => undefined });
    expectFailure(client, 'ERR_MILLRACE_PASSPHRASE', 40, /does not know this passphrase or identity/);
    expectFailure(server, 'ERR_MILLRACE_PASSPHRASE', 40, /no passphrase is known for the identity "cam 9"/);
  });

  test('survives a look-up of identities that throws or returns nonsense', async () => {
    const broken = new Error('database is gone');
    const throws = await handshake(
      { psk },
      {
        pskFor: () => {
          throw broken;
        },
      },
    );
    expect(throws.server.error?.cause).toBe(broken);
    expectFailure(throws.server, 'ERR_MILLRACE_PASSPHRASE', 40, /no passphrase is known/);
    const nonsense = await handshake({ psk }, { pskFor: () => 'secret' as unknown as Uint8Array });
    expectFailure(nonsense.server, 'ERR_MILLRACE_PASSPHRASE', 40, /no passphrase is known/);
  });

  test('says at both ends that a passphrase met a certificate', async () => {
    const result = await handshake({ psk }, server);
    expectFailure(
      result.client,
      'ERR_MILLRACE_PASSPHRASE',
      40,
      /listener has a certificate and not this passphrase/,
    );
    expectFailure(result.server, 'ERR_MILLRACE_PASSPHRASE', 40, /call this listener without a passphrase/);
  });

  test('says at both ends that a certificate caller met a passphrase', async () => {
    const result = await handshake(caller, { psk });
    expectFailure(result.client, 'ERR_MILLRACE_PASSPHRASE', 40, /refused a call without passphrase/);
    expectFailure(result.server, 'ERR_MILLRACE_PASSPHRASE', 40, /the caller gave no passphrase/);
  });

  const distrusted: readonly [string, TlsCredentials, TlsCredentials, number, RegExp, RegExp][] = [
    [
      'an untrusted certificate',
      caller,
      certificates.untrusted,
      48,
      /is not trusted .* give its CA as `ca`, or its `pin`/,
      /does not accept the certificate of this end/,
    ],
    [
      'a certificate that the system does not trust',
      { servername: 'localhost' },
      server,
      48,
      /is not trusted/,
      /does not accept/,
    ],
    [
      'a certificate for another name',
      { ca, servername: 'example.org' },
      server,
      42,
      /not for example\.org/,
      /does not accept/,
    ],
    [
      'a certificate for another address',
      { ca, servername: '127.0.0.2' },
      server,
      42,
      /not for 127\.0\.0\.2/,
      /does not accept/,
    ],
    [
      'an expired certificate',
      caller,
      certificates.expired,
      45,
      /listener has expired; renew it/,
      /has expired; renew it/,
    ],
    [
      'another certificate than the pinned one, trusted or not',
      { ...caller, pin: certificates.pinOf(certificates.untrusted.cert) },
      server,
      42,
      /is not the pinned one but sha256:[0-9a-f]{64}/,
      /does not accept/,
    ],
  ];
  test.each(distrusted)(
    'tells both ends of %s',
    async (_what, ofClient, ofServer, alert, atClient, atServer) => {
      const result = await handshake(ofClient, ofServer);
      expectFailure(result.client, 'ERR_MILLRACE_CERTIFICATE', alert, atClient);
      expectFailure(result.server, 'ERR_MILLRACE_CERTIFICATE', alert, atServer);
      // Only the alert follows the client's first flight: with its Finished the server would take the call for accepted.
      expect(result.traffic.client).toEqual([expect.any(Number), 7]);
    },
  );

  test("tells both ends that the caller's certificate is missing", async () => {
    const result = await handshake(caller, { ...server, ca, requestCert: true });
    expectFailure(result.client, 'ERR_MILLRACE_CERTIFICATE', 116, /demands a certificate of its callers/);
    expectFailure(result.server, 'ERR_MILLRACE_CERTIFICATE', 116, /the caller has no certificate/);
  });

  test.each([
    ['missing', caller, 116, /the caller has no certificate/],
    ['another one', { ...caller, ...client }, 42, /certificate of the caller is not the pinned one/],
  ] as const)(
    'refuses a caller whose certificate is pinned when it is %s',
    async (_what, ofClient, alert, message) => {
      const pin = certificates.pinOf(certificates.untrustedClient.cert);
      const result = await handshake(ofClient, { ...server, pin });
      expectFailure(result.server, 'ERR_MILLRACE_CERTIFICATE', alert, message);
    },
  );

  // TLS 1.3 has the client complete before the server sees its certificate, and OpenSSL offers no alert for a verdict that
  // is passed after the fact: the caller learns of it from CONNECTION_CLOSE, which carries the number.
  test('refuses an untrusted certificate of the caller, with the alert for CONNECTION_CLOSE', async () => {
    const result = await handshake(
      { ...caller, ...certificates.untrustedClient },
      { ...server, ca, requestCert: true },
    );
    expectFailure(
      result.server,
      'ERR_MILLRACE_CERTIFICATE',
      48,
      /certificate of the caller is not trusted .* `ca`$/,
    );
    expect(result.client.state).toBe('complete');
  });

  test('takes credentials that contradict each other for a mistake of its caller', () => {
    const pin = certificates.pinOf(server.cert);
    expect(() => createServerHandshake({ psk, ...server })).toThrow(TypeError);
    expect(() => createServerHandshake({ pskFor: () => psk, ...server })).toThrow(/not both/);
    expect(() => createServerHandshake({ psk, requestCert: true })).toThrow(TypeError);
    expect(() => createServerHandshake({ psk, pin })).toThrow(TypeError);
    expect(() => createServerHandshake({})).toThrow(/needs a passphrase, or a certificate/);
    expect(() => createServerHandshake({ cert: server.cert })).toThrow(TypeError);
    expect(() => createServerHandshake({ psk: new Uint8Array(4) })).toThrow(/at least 16 bytes/);
    expect(() => createClientHandshake({})).toThrow(/needs a passphrase, a pin, or/);
    expect(() => createClientHandshake({ ca })).toThrow(TypeError);
    expect(() => createClientHandshake({ psk, pin })).toThrow(TypeError);
    expect(() => createClientHandshake({ psk, ...client })).toThrow(TypeError);
    expect(() => createClientHandshake({ ...caller, cert: client.cert })).toThrow(/belong together/);
    expect(() => createClientHandshake({ pin: 'sha256:12' })).toThrow(/64 hex digits/);
    expect(() => createClientHandshake({ psk, identity: '' })).toThrow(/1 to 128 bytes/);
    expect(() => createClientHandshake({ psk, identity: 'x'.repeat(129) })).toThrow(/1 to 128 bytes/);
    expect(() => createClientHandshake({ psk, identity: 'a\0b' })).toThrow(/none of them zero/);
  });
});
