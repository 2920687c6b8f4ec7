/** The attacks of DESIGN D2, each by a plain node:tls peer; and peers that are not ours. */
import type { ConnectionOptions, TlsOptions } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { Handshake } from '../../src/crypto/handshake.ts';
import { createClientHandshake, createServerHandshake } from '../../src/node/tls.ts';
import * as certificates from '../helpers/certificates.ts';
import { pump, type RawEnd, rawClient, rawServer } from '../helpers/tls-pair.ts';

const psk = new Uint8Array(32).fill(1);
const otherPsk = new Uint8Array(32).fill(2);
const { ca, server, client } = certificates;
const tls13 = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_CHACHA20_POLY1305_SHA256',
  ALPNProtocols: ['millrace/1'],
} as const;

async function attackCaller(caller: Handshake, options: TlsOptions): Promise<RawEnd> {
  const attacker = rawServer({ ...tls13, ...options });
  caller.setExporterContext(new Uint8Array(32));
  await pump(caller, attacker);
  attacker.close();
  return attacker;
}

async function attackListener(listener: Handshake, options: ConnectionOptions): Promise<RawEnd> {
  const attacker = rawClient({ ...tls13, ...options });
  listener.setExporterContext(new Uint8Array(32));
  await pump(attacker, listener);
  attacker.close();
  return attacker;
}

describe('a caller with a passphrase', () => {
  test('does not accept a listener that has a certificate of a trusted authority instead', async () => {
    const caller = createClientHandshake({ psk });
    const attacker = await attackCaller(caller, server);
    expect(caller.state).toBe('failed');
    expect(caller.error?.code).toBe('ERR_MILLRACE_PASSPHRASE');
    expect(() => caller.exportSecrets()).toThrow();
    expect(attacker.isSecure).toBe(false);
    // The same listener is good enough for whoever trusts that authority.
    const trusting = createClientHandshake({ servername: 'localhost', ca });
    expect((await attackCaller(trusting, server)).isSecure).toBe(true);
    expect(trusting.state).toBe('complete');
  });

  test('does not accept a listener with another passphrase and a certificate to fall back on', async () => {
    const caller = createClientHandshake({ psk });
    const attacker = await attackCaller(caller, { ...server, pskCallback: () => otherPsk });
    expect(caller.state).toBe('failed');
    expect(attacker.isSecure).toBe(false);
    const second = createClientHandshake({ psk });
    const ignoring = await attackCaller(second, { ...server, pskCallback: () => null });
    expect(second.error?.code).toBe('ERR_MILLRACE_PASSPHRASE');
    expect(ignoring.isSecure).toBe(false);
  });

  test('is not moved by a system that trusts the authority of the attacker', async () => {
    // As with NODE_TLS_REJECT_UNAUTHORIZED=0, the crudest way to trust everybody.
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      const caller = createClientHandshake({ psk });
      expect((await attackCaller(caller, server)).isSecure).toBe(false);
      expect(caller.state).toBe('failed');
      const byName = createClientHandshake({ servername: 'localhost' });
      expect((await attackCaller(byName, server)).isSecure).toBe(false);
      expect(byName.error?.code).toBe('ERR_MILLRACE_CERTIFICATE');
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    }
  });
});

describe('a listener with a passphrase', () => {
  test.each([
    ['a certificate and no passphrase', client],
    [
      'a certificate and another passphrase',
      { ...client, pskCallback: () => ({ psk: otherPsk, identity: 'millrace' }) },
    ],
    ['neither', {}],
    ['another passphrase', { pskCallback: () => ({ psk: otherPsk, identity: 'millrace' }) }],
  ] as const)('does not accept a caller with %s', async (_what, options) => {
    const listener = createServerHandshake({ psk });
    const attacker = await attackListener(listener, options);
    expect(listener.state).toBe('failed');
    expect(listener.error?.code).toBe('ERR_MILLRACE_PASSPHRASE');
    expect(listener.peer.identity).toBe('');
    expect(attacker.isSecure).toBe(false);
  });

  test('does not accept the key of one identity for another', async () => {
    const keys: Record<string, Uint8Array> = { anne: psk, bob: otherPsk };
    const listener = createServerHandshake({ pskFor: (identity) => keys[identity] });
    await attackListener(listener, { pskCallback: () => ({ psk, identity: 'bob' }) });
    expect(listener.state).toBe('failed');
    expect(listener.peer.identity).toBe('');
    const honest = createServerHandshake({ pskFor: (identity) => keys[identity] });
    await attackListener(honest, { pskCallback: () => ({ psk, identity: 'anne' }) });
    expect(honest.peer.identity).toBe('anne');
  });

  test('cannot be made with a certificate as well, for such a one admits anyone', async () => {
    expect(() => createServerHandshake({ psk, ...server })).toThrow(/not both/);
    const both = rawServer({ ...tls13, ...server, pskCallback: () => psk });
    const stranger = rawClient(tls13);
    await pump(stranger, both);
    expect([stranger.isSecure, both.isSecure]).toEqual([true, true]);
    stranger.close();
    both.close();
  });
});

describe('a peer that is not ours', () => {
  const strangers: readonly [string, ConnectionOptions & TlsOptions][] = [
    [
      'that speaks TLS 1.2 at most',
      { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' },
    ],
    ['that has AES only', { ciphers: 'TLS_AES_128_GCM_SHA256' }],
    ['that speaks another protocol', { ALPNProtocols: ['h3'] }],
  ];
  test.each(strangers)('is refused as a caller %s', async (_what, options) => {
    const listener = createServerHandshake(server);
    const stranger = await attackListener(listener, options);
    expect(listener.state).toBe('failed');
    expect(listener.error?.code).toBe('ERR_MILLRACE_HANDSHAKE');
    expect(listener.alert).toBeGreaterThan(0);
    expect(stranger.isSecure).toBe(false);
  });

  test.each(strangers)('is refused as a listener %s', async (_what, options) => {
    const caller = createClientHandshake({ servername: 'localhost', ca });
    const stranger = await attackCaller(caller, { ...server, ...options });
    expect(caller.state).toBe('failed');
    expect(caller.alert).toBeGreaterThan(0);
    expect(stranger.isSecure).toBe(false);
  });

  test('is refused when it names no protocol at all', async () => {
    const { ALPNProtocols: _, ...nameless } = tls13;
    const context = new Uint8Array(32);
    for (const ofListener of [{ psk }, server]) {
      const listener = createServerHandshake(ofListener);
      listener.setExporterContext(context);
      await pump(rawClient({ ...nameless, pskCallback: () => ({ psk, identity: 'x' }) }), listener);
      expect(listener.state).toBe('failed');
      expect(listener.alert).toBe(120);
      expect(listener.error?.message).toMatch(/the caller does not speak millrace\/1/);
    }
    for (const ofCaller of [{ psk }, { servername: 'localhost', ca }]) {
      const caller = createClientHandshake(ofCaller);
      caller.setExporterContext(context);
      const listener = rawServer({
        ...nameless,
        ...('psk' in ofCaller ? { pskCallback: () => psk } : server),
      });
      await pump(caller, listener);
      expect(caller.state).toBe('failed');
      expect(caller.alert).toBe(120);
      expect(caller.error?.message).toMatch(/the listener does not speak millrace\/1/);
      expect(listener.isSecure).toBe(false);
    }
  });

  test('gets no session tickets, and its own are not used', async () => {
    const listener = createServerHandshake(server);
    const stranger = await attackListener(listener, {});
    expect([listener.state, stranger.isSecure, stranger.sessions]).toEqual(['complete', true, 0]);
    const caller = createClientHandshake({ servername: 'localhost', ca });
    await attackCaller(caller, server);
    expect(caller.state).toBe('complete');
  });

  test('cannot send a caller application data that piles up', async () => {
    const caller = createClientHandshake({ servername: 'localhost', ca });
    const talker = rawServer({ ...tls13, ...server });
    caller.setExporterContext(new Uint8Array(32));
    await pump(caller, talker);
    for (let i = 0; i < 20; i++) {
      talker.socket?.write(Buffer.alloc(4096));
      await pump(caller, talker);
    }
    expect(caller.state).toBe('failed');
    expect(caller.error?.message).toMatch(/more than 65536 bytes/);
    talker.close();
  });
});
