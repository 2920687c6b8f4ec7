/**
 * Watches packets being sealed, and seals each once more with ChaCha20-Poly1305 straight from OpenSSL: labels and nonce as
 * docs/wire-format.md §2 has them (RFC 9001 §5.3). In: a provider. Out: one that does the same, and throws where bytes differ.
 */
import { createCipheriv, createHmac } from 'node:crypto';
import type { CryptoProvider } from '../../../src/crypto/protection.ts';

const TAG_BYTES = 16;
const NONCE_BYTES = 12;

/** How many packets were compared. */
export interface AeadCheck {
  readonly crypto: CryptoProvider;
  packets: number;
}

/** HKDF-Expand-Label of RFC 8446 §7.1 with an empty context: one block is one HMAC. */
function expandLabel(secret: Uint8Array, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.of(0, length, name.length), name, Buffer.of(0, 1)]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}

/** The IV with the packet number XORed into its low bits. */
function nonceOf(iv: Buffer, packetNumber: number): Buffer {
  const nonce = Buffer.from(iv);
  const at = NONCE_BYTES - 8;
  nonce.writeBigUInt64BE(iv.readBigUInt64BE(at) ^ BigInt(packetNumber), at);
  return nonce;
}

/** Seals with `real`, and compares. */
export function checkedAead(real: CryptoProvider): AeadCheck {
  const protection: CryptoProvider['protection'] = (secret) => {
    const inner = real.protection(secret);
    const key = expandLabel(secret, 'millrace key', 32);
    const iv = expandLabel(secret, 'millrace iv', NONCE_BYTES);
    return {
      seal: (packet, headerStart, payloadStart, payloadEnd, packetNumber) => {
        const plain = packet.slice(headerStart, payloadEnd);
        inner.seal(packet, headerStart, payloadStart, payloadEnd, packetNumber);
        const cipher = createCipheriv('chacha20-poly1305', key, nonceOf(iv, packetNumber), {
          authTagLength: TAG_BYTES,
        });
        const headerBytes = payloadStart - headerStart;
        const payload = plain.subarray(headerBytes);
        cipher.setAAD(plain.subarray(0, headerBytes), { plaintextLength: payload.length });
        const sealed = Buffer.concat([cipher.update(payload), cipher.final(), cipher.getAuthTag()]);
        if (!sealed.equals(packet.subarray(payloadStart, payloadEnd + TAG_BYTES)))
          throw new Error(`packet ${packetNumber} is not sealed with ChaCha20-Poly1305`);
        check.packets++;
      },
      open: (packet, headerStart, payloadStart, end, packetNumber) =>
        inner.open(packet, headerStart, payloadStart, end, packetNumber),
    };
  };
  const check: AeadCheck = { crypto: { ...real, protection }, packets: 0 };
  return check;
}
