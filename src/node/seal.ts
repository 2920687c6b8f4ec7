/**
 * ChaCha20-Poly1305 for packets: sodium-native where it loads, node:crypto otherwise; and SHA-256, HMAC for the key
 * schedule. In place, nothing allocated per packet with sodium-native. Source: RFC 8439; docs/wire-format.md §2.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { type Hmac, initialSecrets, nextSecret, type PacketKey, packetKey } from '../crypto/key-schedule.ts';
import { type CryptoProvider, type PacketProtection, TAG_BYTES } from '../crypto/protection.ts';

const CIPHER = 'chacha20-poly1305';
const TWO_32 = 4_294_967_296;

/** The two calls of sodium-native that are used. */
interface Sodium {
  crypto_aead_chacha20poly1305_ietf_encrypt(
    out: Uint8Array,
    message: Uint8Array,
    associated: Uint8Array,
    secretNonce: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  crypto_aead_chacha20poly1305_ietf_decrypt(
    out: Uint8Array,
    secretNonce: null,
    sealed: Uint8Array,
    associated: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
}

function loadSodium(): Sodium | undefined {
  try {
    return createRequire(import.meta.url)('sodium-native') as Sodium;
  } catch {
    return undefined;
  }
}

/** The nonce: the IV with the packet number XORed into its low 64 bits (RFC 9001 §5.3). One buffer, rewritten. */
class Nonce {
  readonly bytes: Buffer;
  readonly #iv: Uint8Array;

  constructor(iv: Uint8Array) {
    this.#iv = iv;
    this.bytes = Buffer.from(iv);
  }

  set(packetNumber: number): Buffer {
    const { bytes } = this;
    const iv = this.#iv;
    let low = (packetNumber % TWO_32) | 0;
    let high = (packetNumber / TWO_32) | 0;
    for (let i = 11; i >= 8; i--) {
      bytes[i] = (iv[i] as number) ^ (low & 255);
      low >>>= 8;
    }
    for (let i = 7; i >= 4; i--) {
      bytes[i] = (iv[i] as number) ^ (high & 255);
      high >>>= 8;
    }
    return bytes;
  }
}

class SodiumProtection implements PacketProtection {
  readonly #sodium: Sodium;
  readonly #key: Buffer;
  readonly #nonce: Nonce;

  constructor(sodium: Sodium, { key, iv }: PacketKey) {
    this.#sodium = sodium;
    this.#key = Buffer.from(key);
    this.#nonce = new Nonce(iv);
  }

  seal(
    packet: Uint8Array,
    headerStart: number,
    payloadStart: number,
    payloadEnd: number,
    packetNumber: number,
  ): void {
    this.#sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
      packet.subarray(payloadStart, payloadEnd + TAG_BYTES),
      packet.subarray(payloadStart, payloadEnd),
      packet.subarray(headerStart, payloadStart),
      null,
      this.#nonce.set(packetNumber),
      this.#key,
    );
  }

  open(
    packet: Uint8Array,
    headerStart: number,
    payloadStart: number,
    end: number,
    packetNumber: number,
  ): boolean {
    if (end - payloadStart < TAG_BYTES) return false;
    try {
      this.#sodium.crypto_aead_chacha20poly1305_ietf_decrypt(
        packet.subarray(payloadStart, end - TAG_BYTES),
        null,
        packet.subarray(payloadStart, end),
        packet.subarray(headerStart, payloadStart),
        this.#nonce.set(packetNumber),
        this.#key,
      );
      return true;
    } catch {
      // sodium-native says "could not verify data" by throwing; only forged and damaged packets pay for it.
      return false;
    }
  }
}

class NodeProtection implements PacketProtection {
  readonly #key: Buffer;
  readonly #nonce: Nonce;
  readonly #options = { authTagLength: TAG_BYTES } as const;

  constructor({ key, iv }: PacketKey) {
    this.#key = Buffer.from(key);
    this.#nonce = new Nonce(iv);
  }

  seal(
    packet: Uint8Array,
    headerStart: number,
    payloadStart: number,
    payloadEnd: number,
    packetNumber: number,
  ): void {
    const cipher = createCipheriv(CIPHER, this.#key, this.#nonce.set(packetNumber), this.#options);
    cipher.setAAD(packet.subarray(headerStart, payloadStart), { plaintextLength: payloadEnd - payloadStart });
    packet.set(cipher.update(packet.subarray(payloadStart, payloadEnd)), payloadStart);
    cipher.final();
    packet.set(cipher.getAuthTag(), payloadEnd);
  }

  open(
    packet: Uint8Array,
    headerStart: number,
    payloadStart: number,
    end: number,
    packetNumber: number,
  ): boolean {
    const payloadEnd = end - TAG_BYTES;
    if (payloadEnd < payloadStart) return false;
    const decipher = createDecipheriv(CIPHER, this.#key, this.#nonce.set(packetNumber), this.#options);
    decipher.setAAD(packet.subarray(headerStart, payloadStart), {
      plaintextLength: payloadEnd - payloadStart,
    });
    decipher.setAuthTag(packet.subarray(payloadEnd, end));
    const plain = decipher.update(packet.subarray(payloadStart, payloadEnd));
    try {
      decipher.final();
    } catch {
      return false;
    }
    packet.set(plain, payloadStart);
    return true;
  }
}

const hmac: Hmac = (key, data) => createHmac('sha256', key).update(data).digest();

function provider(
  engine: 'sodium-native' | 'node:crypto',
  protect: (key: PacketKey) => PacketProtection,
): CryptoProvider {
  return {
    engine,
    protection: (secret) => protect(packetKey(hmac, secret)),
    nextSecret: (secret) => nextSecret(hmac, secret),
    initialSecrets: (originalId) => initialSecrets(hmac, originalId),
    sha256: (bytes) => createHash('sha256').update(bytes).digest(),
  };
}

/** The AEAD of Node's own OpenSSL: always there. */
export const nodeCrypto: CryptoProvider = provider('node:crypto', (key) => new NodeProtection(key));

let best: CryptoProvider | undefined;

/** The fastest AEAD that loads here. */
export function bestCrypto(): CryptoProvider {
  if (best !== undefined) return best;
  const sodium = loadSodium();
  best =
    sodium === undefined ? nodeCrypto : provider('sodium-native', (key) => new SodiumProtection(sodium, key));
  return best;
}
