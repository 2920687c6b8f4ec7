/**
 * test/vectors/crypto.json, what another implementation starts from: the key schedule, a sealed Initial packet, a sealed
 * short packet. The code must make these bytes; so must a computation from RFC 5869, RFC 8446 §7.1 and RFC 8439 that
 * shares nothing with it but node:crypto.
 */
import { createCipheriv, createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Writer } from '../../src/base/bytes.ts';
import { TAG_BYTES } from '../../src/crypto/protection.ts';
import { bestCrypto, nodeCrypto } from '../../src/node/seal.ts';
import { patchLength, writeInitialHeader, writeShortHeader } from '../../src/wire/header.ts';
import { readRetry, writeRetry } from '../../src/wire/retry.ts';

interface SealedPacket {
  readonly secret: string;
  readonly packetNumber: number;
  readonly header: string;
  readonly payload: string;
  readonly packet: string;
}

interface Vectors {
  readonly initial: { readonly originalId: string; readonly client: string; readonly server: string };
  readonly keys: {
    readonly secret: string;
    readonly key: string;
    readonly iv: string;
    readonly next: string;
  };
  readonly initialPacket: SealedPacket;
  readonly shortPacket: SealedPacket;
  readonly retry: Readonly<Record<'callerId' | 'originalId' | 'token' | 'packet', string>>;
}

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/crypto.json', import.meta.url), 'utf8'),
) as Vectors;

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');

/** HKDF-Expand-Label with an empty context and one block of output, written out. */
function expandLabel(secret: Uint8Array, label: string, size: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`, 'ascii');
  const info = Buffer.concat([Buffer.from([0, size, name.length]), name, Buffer.from([0, 1])]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, size);
}

function sealIndependently({ secret, packetNumber, header, payload }: SealedPacket): string {
  const nonce = expandLabel(bytes(secret), 'millrace iv', 12);
  const number = Buffer.alloc(12);
  number.writeBigUInt64BE(BigInt(packetNumber), 4);
  for (let i = 0; i < 12; i++) nonce[i] = (nonce[i] as number) ^ (number[i] as number);
  const key = expandLabel(bytes(secret), 'millrace key', 32);
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
  const plaintext = bytes(payload);
  cipher.setAAD(bytes(header), { plaintextLength: plaintext.length });
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  return header + hex(sealed);
}

describe('crypto.json', () => {
  it('has the Initial secrets of an original destination connection ID', () => {
    const { originalId, client, server } = vectors.initial;
    const secrets = nodeCrypto.initialSecrets(bytes(originalId));
    expect([hex(secrets.client), hex(secrets.server)]).toEqual([client, server]);
    const initial = createHmac('sha256', 'millrace/1 initial s').update(bytes(originalId)).digest();
    expect(hex(expandLabel(initial, 'client in', 32))).toBe(client);
    expect(hex(expandLabel(initial, 'server in', 32))).toBe(server);
  });

  it('has the key, the IV and the next secret of a traffic secret', () => {
    const { secret, key, iv, next } = vectors.keys;
    expect(hex(nodeCrypto.nextSecret(bytes(secret)))).toBe(next);
    expect(hex(expandLabel(bytes(secret), 'millrace ku', 32))).toBe(next);
    expect(hex(expandLabel(bytes(secret), 'millrace key', 32))).toBe(key);
    expect(hex(expandLabel(bytes(secret), 'millrace iv', 12))).toBe(iv);
  });

  it('has the headers that the code writes', () => {
    const { initialPacket, shortPacket, initial } = vectors;
    const out = new Uint8Array(1200);
    const writer = new Writer().reset(out);
    const lengthAt = writeInitialHeader(
      writer,
      bytes(initial.originalId),
      bytes('0102030405060708'),
      new Uint8Array(0),
      0,
    );
    patchLength(out, lengthAt, 4 + bytes(initialPacket.payload).length + TAG_BYTES);
    expect(hex(out.subarray(0, writer.at))).toBe(initialPacket.header);
    writer.reset(out);
    const length = 2 + bytes(shortPacket.payload).length + TAG_BYTES;
    writeShortHeader(writer, bytes('1112131415161718'), 1, shortPacket.packetNumber, 2, length);
    expect(hex(out.subarray(0, writer.at))).toBe(shortPacket.header);
  });

  it('has a Retry packet', () => {
    const { callerId, originalId, token, packet } = vectors.retry;
    const ids = [bytes(callerId), bytes(originalId)] as const;
    expect(hex(writeRetry(nodeCrypto.sha256, ...ids, bytes(token)))).toBe(packet);
    expect(hex(readRetry(nodeCrypto.sha256, bytes(packet), ...ids) as Uint8Array)).toBe(token);
    const tag = createHash('sha256')
      .update('millrace/1 retry')
      .update(bytes(packet).subarray(0, -16))
      .digest();
    expect(packet.slice(-32)).toBe(hex(tag).slice(0, 32));
  });

  for (const name of ['initialPacket', 'shortPacket'] as const) {
    it(`has ${name} sealed, equal to an independent computation`, () => {
      expect(sealIndependently(vectors[name])).toBe(vectors[name].packet);
    });

    for (const crypto of [bestCrypto(), nodeCrypto]) {
      it(`has ${name} as ${crypto.engine} seals and opens it`, () => {
        const { secret, packetNumber, header, payload, packet } = vectors[name];
        const protection = crypto.protection(bytes(secret));
        const headerBytes = header.length / 2;
        const end = packet.length / 2;
        const made = bytes(header + payload + '00'.repeat(TAG_BYTES));
        protection.seal(made, 0, headerBytes, end - TAG_BYTES, packetNumber);
        expect(hex(made)).toBe(packet);
        expect(protection.open(made, 0, headerBytes, end, packetNumber)).toBe(true);
        expect(hex(made.subarray(headerBytes, end - TAG_BYTES))).toBe(payload);
      });
    }
  }
});
