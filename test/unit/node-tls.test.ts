import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Handshake } from '../../src/crypto/handshake.ts';
import { createClientHandshake, createServerHandshake, type TlsCredentials } from '../../src/node/tls.ts';
import * as certificates from '../helpers/certificates.ts';
import { drain, pump, settle, shake, type Traffic } from '../helpers/tls-pair.ts';

const psk = new Uint8Array(32).fill(1);
const otherPsk = new Uint8Array(32).fill(2);
const { ca, server, client } = certificates;
const caller: TlsCredentials = { servername: 'localhost', ca };

interface Result {
  readonly client: Handshake;
  readonly server: Handshake;
  readonly traffic: Traffic;
}

async function handshake(
  ofClient: TlsCredentials,
  ofServer: TlsCredentials,
  pieceBytes?: number,
): Promise<Result> {
  const ends = { client: createClientHandshake(ofClient), server: createServerHandshake(ofServer) };
  const traffic = await shake(ends.client, ends.server, pieceBytes === undefined ? {} : { pieceBytes });
  return { ...ends, traffic };
}

function expectSuccess({ client, server }: Result): void {
  expect([client.error?.message, server.error?.message]).toEqual([undefined, undefined]);
  expect([client.state, server.state]).toEqual(['complete', 'complete']);
  const ours = client.exportSecrets();
  expect(ours).toEqual(server.exportSecrets());
  expect(ours.client).toHaveLength(32);
  expect(ours.server).toHaveLength(32);
  expect(ours.client).not.toEqual(ours.server);
  expect(client.peer.alpn).toBe('millrace/1');
  expect(server.peer.alpn).toBe('millrace/1');
  client.close();
  server.close();
}

function expectOneLine(end: Handshake): void {
  expect(end.error?.message).not.toContain('\n');
  expect(end.error?.message.length).toBeLessThan(250);
}

function expectFailure(end: Handshake, code: string, alert: number, message: RegExp): void {
  expect(end.state).toBe('failed');
  expect(end.error?.message).toMatch(message);
  expect(end.error?.code).toBe(code);
  expect(end.alert).toBe(alert);
  expectOneLine(end);
  expect(() => end.exportSecrets()).toThrow('before the handshake is complete');
  end.close();
}

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

describe('TLS handshake under damage', () => {
  test.each([
    ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['zeros', Buffer.alloc(64)],
    ['random bytes', randomBytes(512)],
  ])('fails at both ends when it is fed %s', async (_what, garbage) => {
    for (const end of [createClientHandshake({ psk }), createServerHandshake({ psk })]) {
      await settle();
      drain(end);
      end.receive(garbage);
      await settle();
      expect(end.state).toBe('failed');
      expect(end.error?.code).toBe('ERR_MILLRACE_HANDSHAKE');
      expect(end.alert).toBeGreaterThan(0);
      expectOneLine(end);
      end.receive(garbage);
      end.close();
    }
  });

  test('never completes at the end that was given a flipped bit', async () => {
    for (let position = 0; position < 242; position += 11) {
      const ends = { client: createClientHandshake({ psk }), server: createServerHandshake({ psk }) };
      await shake(ends.client, ends.server, {
        toClient: (bytes) => {
          const damaged = Buffer.from(bytes);
          if (bytes.length > position) damaged[position] = (damaged[position] as number) ^ 4;
          return damaged;
        },
      });
      expect(ends.client.state, `byte ${position}`).not.toBe('complete');
      expect(ends.server.state, `byte ${position}`).not.toBe('complete');
      ends.client.close();
      ends.server.close();
    }
  });

  test('waits for the rest of a truncated flight', async () => {
    const ends = { client: createClientHandshake({ psk }), server: createServerHandshake({ psk }) };
    await shake(ends.client, ends.server, { toClient: (bytes) => bytes.subarray(0, 100) });
    expect([ends.client.state, ends.server.state]).toEqual(['running', 'running']);
    ends.client.close();
    ends.server.close();
  });

  test('ends when the peer sends more than 64 KiB', async () => {
    for (const end of [createClientHandshake({ psk }), createServerHandshake({ psk })]) {
      // One handshake message that claims to be long, in records of the largest size: nothing to find fault with yet.
      const record = Buffer.alloc(16_384 + 5);
      record.set([22, 3, 3, 0x40, 0]);
      record.set([end.peer.alpn === '' ? 2 : 1, 1, 0xff, 0xff], 5);
      for (let i = 0; i < 5; i++) end.receive(record);
      expect(end.state).toBe('failed');
      expect(end.error?.code).toBe('ERR_MILLRACE_HANDSHAKE');
      await settle();
      end.close();
    }
  });

  test('ends when its own certificates are more than 64 KiB', async () => {
    const cert = [server.cert, ...Array.from({ length: 180 }, () => certificates.untrusted.cert)].join('\n');
    const result = await handshake(caller, { cert, key: server.key });
    expect(result.server.state).toBe('failed');
    expect(result.server.error?.message).toMatch(/shorten its certificate chain/);
    expect(result.client.state).not.toBe('complete');
    result.client.close();
    result.server.close();
  });

  test('lets a complete client be told that it is refused, and a complete server by nobody', async () => {
    const result = await handshake({ psk }, { psk });
    result.client.receive(Buffer.from('15030300020230', 'hex'));
    result.server.receive(Buffer.from('15030300020230', 'hex'));
    await settle();
    expect(result.client.state).toBe('failed');
    expect(result.server.state).toBe('complete');
    expect(result.server.exportSecrets().client).toHaveLength(32);
  });
});

describe('closed TLS handshake', () => {
  test('says and hears nothing more, however often it is closed', async () => {
    const ends = { client: createClientHandshake({ psk }), server: createServerHandshake({ psk }) };
    let calls = 0;
    ends.client.onProgress = () => calls++;
    await settle();
    const hello = drain(ends.client);
    const seen = calls;
    ends.client.close();
    ends.client.close();
    ends.server.receive(hello);
    await settle();
    ends.client.receive(drain(ends.server));
    await settle();
    expect(ends.client.state).toBe('running');
    expect(ends.client.read()).toBeUndefined();
    expect(calls).toBe(seen);
    ends.server.close();
  });

  test('keeps its secrets', async () => {
    const result = await handshake({ psk }, { psk });
    result.client.close();
    result.server.close();
    await settle();
    expect(result.client.exportSecrets()).toEqual(result.server.exportSecrets());
  });

  test('leaves nothing that keeps a process alive', () => {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const script = `
      import { createClientHandshake, createServerHandshake } from './src/node/tls.ts';
      const psk = new Uint8Array(32);
      for (const close of [0, 1, 2]) {
        const client = createClientHandshake({ psk });
        const server = createServerHandshake({ psk: close === 2 ? new Uint8Array(32).fill(1) : psk });
        client.setExporterContext(psk);
        server.setExporterContext(psk);
        const both = () => { client.close(); server.close(); };
        const move = () => {
          for (let b = client.read(); b; b = client.read()) server.receive(b);
          for (let b = server.read(); b; b = server.read()) client.receive(b);
          if (server.state !== 'running') { console.log(server.state); both(); }
        };
        client.onProgress = server.onProgress = move;
        if (close === 0) both();
      }
      process.on('exit', () => console.log('exit'));
    `;
    const child = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      cwd: root,
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect(child.stderr).toBe('');
    expect(child.stdout.trim().split('\n').sort()).toEqual(['complete', 'exit', 'failed']);
    expect(child.signal).toBeNull();
  });

  test('may be closed at any moment of 300 handshakes, good and bad, without a crash', async () => {
    const kinds: readonly [TlsCredentials, TlsCredentials][] = [
      [{ psk }, { psk }],
      [{ psk }, { psk: otherPsk }],
      [{ psk }, server],
      [caller, { psk }],
      [caller, server],
      [caller, certificates.untrusted],
      [
        { ...caller, ...client },
        { ...server, ca, requestCert: true },
      ],
      [caller, { ...server, ca, requestCert: true }],
      [
        { ...caller, ...certificates.untrustedClient },
        { ...server, ca, requestCert: true },
      ],
    ];
    const states = new Map<string, number>();
    for (let round = 0; round < 300; round++) {
      const [ofClient, ofServer] = kinds[round % kinds.length] as [TlsCredentials, TlsCredentials];
      const ends = { client: createClientHandshake(ofClient), server: createServerHandshake(ofServer) };
      // Every seventh round one end closes in answer to its n-th progress, every eleventh both close at once.
      let left = round % 5;
      const closing = round % 2 === 0 ? ends.client : ends.server;
      if (round % 7 === 0) {
        closing.onProgress = () => {
          if (left-- === 0) closing.close();
        };
      }
      if (round % 11 === 0) ends.client.close();
      await shake(ends.client, ends.server);
      const key = `${ends.client.state} ${ends.server.state}`;
      states.set(key, (states.get(key) ?? 0) + 1);
      ends.client.close();
      ends.server.close();
    }
    expect(states.get('complete complete')).toBeGreaterThan(60);
    expect(states.get('failed failed')).toBeGreaterThan(100);
    expect(states.get('complete failed')).toBeGreaterThan(15);
  });
});
