/** TLS handshakes that succeed, in every mode; both ends in memory. */
import { describe, expect, test } from 'vitest';
import { createClientHandshake, createServerHandshake, type TlsCredentials } from '../../src/node/tls.ts';
import * as certificates from '../helpers/certificates.ts';
import { drain, expectSuccess, handshake, pump, settle, shake } from '../helpers/tls-pair.ts';

const psk = new Uint8Array(32).fill(1);
const { ca, server, client } = certificates;
const caller: TlsCredentials = { servername: 'localhost', ca };

describe('TLS handshake', () => {
  const modes: readonly [string, TlsCredentials, TlsCredentials, string, string][] = [
    ['one passphrase', { psk }, { psk }, '', 'millrace'],
    ['one passphrase and an identity', { psk, identity: 'cam 1' }, { psk }, '', 'cam 1'],
    [
      'a passphrase per identity',
      { psk, identity: 'cam 1' },
      { pskFor: (identity) => (identity === 'cam 1' ? psk : undefined) },
      '',
      'cam 1',
    ],
    ['a certificate', caller, server, 'CN=localhost', ''],
    ['a certificate for an IPv4 address', { ca, servername: '127.0.0.1' }, server, 'CN=localhost', ''],
    ['a certificate for an IPv6 address', { ca, servername: '::1' }, server, 'CN=localhost', ''],
    ['a pin', { pin: certificates.pinOf(server.cert) }, server, 'CN=localhost', ''],
    [
      'a pin of an expired certificate, which replaces every other check',
      { pin: certificates.pinOf(certificates.expired.cert), servername: 'example.org' },
      certificates.expired,
      'CN=localhost',
      '',
    ],
    [
      'certificates at both ends',
      { ...caller, ...client },
      { ...server, ca, requestCert: true },
      'CN=localhost',
      'CN=camera 1',
    ],
    [
      "a pin of the caller's certificate",
      { ...caller, ...certificates.untrustedClient },
      { ...server, pin: certificates.pinOf(certificates.untrustedClient.cert) },
      'CN=localhost',
      'CN=camera 2',
    ],
    [
      'a certificate of the caller that nobody asked for',
      { ...caller, ...client },
      server,
      'CN=localhost',
      '',
    ],
  ];
  test.each(modes)('succeeds with %s', async (_mode, ofClient, ofServer, serverName, clientName) => {
    const result = await handshake(ofClient, ofServer);
    expect(result.client.peer.identity).toBe(serverName);
    expect(result.server.peer.identity).toBe(clientName);
    expectSuccess(result);
  });

  test.each([
    ['a passphrase', { psk }, { psk }],
    ['certificates', { ...caller, ...client }, { ...server, ca, requestCert: true }],
  ] as const)('succeeds with %s when flights arrive byte by byte', async (_mode, ofClient, ofServer) => {
    expectSuccess(await handshake(ofClient, ofServer, 1));
  });

  test('has flights that fit a datagram with a passphrase', async () => {
    const { traffic } = await handshake({ psk }, { psk });
    expect(traffic.client).toEqual([expect.toSatisfy((size) => size > 250 && size < 300), 64]);
    expect(traffic.server).toEqual([expect.toSatisfy((size) => size > 220 && size < 260)]);
  });

  test('sends no session tickets', async () => {
    for (const [ofClient, ofServer] of [
      [{ psk }, { psk }],
      [caller, server],
    ] as const) {
      const { traffic, server: end } = await handshake(ofClient, ofServer);
      expect(traffic.server).toHaveLength(1);
      await settle();
      expect(end.read()).toBeUndefined();
    }
  });

  test('gives different secrets for different contexts', async () => {
    const ends = { client: createClientHandshake({ psk }), server: createServerHandshake({ psk }) };
    ends.client.setExporterContext(new Uint8Array(32).fill(1));
    ends.server.setExporterContext(new Uint8Array(32).fill(2));
    await pump(ends.client, ends.server);
    expect(ends.client.exportSecrets().client).not.toEqual(ends.server.exportSecrets().client);
    expect(ends.client.exportSecrets().server).not.toEqual(ends.server.exportSecrets().server);
  });

  test('gives different secrets for every handshake', async () => {
    const first = await handshake({ psk }, { psk });
    const second = await handshake({ psk }, { psk });
    expect(first.client.exportSecrets().client).not.toEqual(second.client.exportSecrets().client);
  });

  test("completes when the exporter context comes after the server's flight was fed", async () => {
    const ends = { client: createClientHandshake({ psk }), server: createServerHandshake({ psk }) };
    ends.server.setExporterContext(new Uint8Array(32));
    await settle();
    ends.server.receive(drain(ends.client));
    await settle();
    ends.client.receive(drain(ends.server));
    await settle();
    expect(ends.client.state).toBe('running');
    ends.client.setExporterContext(new Uint8Array(32));
    expect(ends.client.state).toBe('complete');
    await pump(ends.client, ends.server);
    expect(ends.client.exportSecrets()).toEqual(ends.server.exportSecrets());
  });

  test("is complete at the server only once the client's Finished has come", async () => {
    const ends = { client: createClientHandshake({ psk }), server: createServerHandshake({ psk }) };
    const finished: Uint8Array[] = [];
    let flights = 0;
    await shake(ends.client, ends.server, {
      toServer: (bytes) => {
        if (flights++ === 0) return bytes;
        finished.push(bytes);
        return undefined;
      },
    });
    expect([ends.client.state, ends.server.state]).toEqual(['complete', 'running']);
    expect(() => ends.server.exportSecrets()).toThrow('before the handshake is complete');
    for (const bytes of finished) ends.server.receive(bytes);
    await settle();
    expect(ends.server.state).toBe('complete');
  });

  test('tells of every progress, and never from inside receive()', async () => {
    const ends = { client: createClientHandshake({ psk }), server: createServerHandshake({ psk }) };
    let isFeeding = false;
    let calls = 0;
    const done = new Promise<void>((resolve) => {
      const move = (): void => {
        expect(isFeeding).toBe(false);
        calls++;
        for (const [from, to] of [
          [ends.client, ends.server],
          [ends.server, ends.client],
        ] as const) {
          for (let bytes = from.read(); bytes !== undefined; bytes = from.read()) {
            isFeeding = true;
            to.receive(bytes);
            isFeeding = false;
          }
        }
        if (ends.client.state === 'complete' && ends.server.state === 'complete') resolve();
      };
      ends.client.onProgress = move;
      ends.server.onProgress = move;
      ends.client.setExporterContext(new Uint8Array(32));
      ends.server.setExporterContext(new Uint8Array(32));
    });
    await done;
    expect(calls).toBeGreaterThan(1);
    expect(calls).toBeLessThan(12);
  });

  test('shows each of several listeners with its own certificate, whatever came before', async () => {
    for (const identity of [server, certificates.untrusted, server, certificates.expired, server]) {
      const right = { pin: certificates.pinOf(identity.cert) };
      expectSuccess(await handshake(right, identity));
    }
  });

  test('writes key log lines on request', async () => {
    const lines = { client: '', server: '' };
    await handshake(
      { psk, onKeyLog: (line) => (lines.client += line) },
      { psk, onKeyLog: (line) => (lines.server += line) },
    );
    expect(lines.client).toMatch(/^CLIENT_TRAFFIC_SECRET_0 [0-9a-f]{64} [0-9a-f]{64}$/m);
    expect(lines.client.split('\n').sort()).toEqual(lines.server.split('\n').sort());
  });
});
