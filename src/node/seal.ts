/**
 * ChaCha20-Poly1305 for packets: sodium-native where it loads, node:crypto otherwise; and SHA-256, HMAC for the key
 * schedule. In place; with sodium-native one view of the payload is all that is allocated per packet. Source: RFC 8439; docs/wire-format.md §2.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { equalBytes } from '../base/bytes.ts';
import { type Hmac, initialSecrets, nextSecret, type PacketKey, packetKey } from '../crypto/key-schedule.ts';
import { type CryptoProvider, type PacketProtection, TAG_BYTES } from '../crypto/protection.ts';

const CIPHER = 'chacha20-poly1305';
const TWO_32 = 4_294_967_296;

/**
 * The two calls of sodium-native that are used, from its binding itself: the wrapper throws for every forged packet (an
 * exception costs as much as ten packets), and checks again what is checked here. `out` and `message` may be one view.
 */
interface Sodium {
  crypto_aead_chacha20poly1305_ietf_encrypt_detached(
    out: Uint8Array,
    tag: Uint8Array,
    message: Uint8Array,
    associated: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  /** 0 if authentic. */
  crypto_aead_chacha20poly1305_ietf_decrypt_detached(
    out: Uint8Array,
    sealed: Uint8Array,
    tag: Uint8Array,
    associated: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
}

function loadSodium(): Sodium | undefined {
  try {
    const sodium = createRequire(import.meta.url)('sodium-native/binding.js') as Sodium;
    return agreesWithNode(sodium) ? sodium : undefined;
  } catch {
    return undefined;
  }
}

/** The binding is no documented interface: it is used only if it seals and refuses as node:crypto does. */
function agreesWithNode(sodium: Sodium): boolean {
  const keys: PacketKey = { key: new Uint8Array(32).fill(1), iv: new Uint8Array(12).fill(2) };
  const mine = new Uint8Array(64).fill(3);
  const nodes = mine.slice();
  const protection = new SodiumProtection(sodium, keys);
  protection.seal(mine, 0, 13, 48, 7);
  new NodeProtection(keys).seal(nodes, 0, 13, 48, 7);
  if (!equalBytes(mine, nodes)) return false;
  const forged = mine.slice();
  forged[20] = (forged[20] as number) ^ 1;
  return !protection.open(forged, 0, 13, 64, 7) && protection.open(mine, 0, 13, 64, 7);
}

/** Where 16 bytes of tag do not fit, they would be lost without a word. */
function checkRoom(packet: Uint8Array, payloadEnd: number): void {
  if (payloadEnd + TAG_BYTES > packet.length) throw new RangeError('no room for the tag of a packet');
}

/** True if these bounds lie in the packet and hold a tag. */
function isWithin(packet: Uint8Array, headerStart: number, payloadStart: number, end: number): boolean {
  return headerStart <= payloadStart && payloadStart + TAG_BYTES <= end && end <= packet.length;
}

/** Scratch for tags and headers: copying their few bytes costs less than a view of them (65 ns each on Node 20). */
const tag: Uint8Array = new Uint8Array(TAG_BYTES);
const HEADER_SCRATCH_MAX = 64;
const headers: readonly Uint8Array[] = Array.from(
  { length: HEADER_SCRATCH_MAX },
  (_, size) => new Uint8Array(size),
);

function headerOf(packet: Uint8Array, start: number, end: number): Uint8Array {
  const header = headers[end - start];
  if (header === undefined) return packet.subarray(start, end);
  for (let i = 0; i < header.length; i++) header[i] = packet[start + i] as number;
  return header;
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
    checkRoom(packet, payloadEnd);
    const payload = packet.subarray(payloadStart, payloadEnd);
    const header = headerOf(packet, headerStart, payloadStart);
    const nonce = this.#nonce.set(packetNumber);
    this.#sodium.crypto_aead_chacha20poly1305_ietf_encrypt_detached(
      payload,
      tag,
      payload,
      header,
      nonce,
      this.#key,
    );
    for (let i = 0; i < TAG_BYTES; i++) packet[payloadEnd + i] = tag[i] as number;
  }

  open(
    packet: Uint8Array,
    headerStart: number,
    payloadStart: number,
    end: number,
    packetNumber: number,
  ): boolean {
    if (!isWithin(packet, headerStart, payloadStart, end)) return false;
    const payloadEnd = end - TAG_BYTES;
    for (let i = 0; i < TAG_BYTES; i++) tag[i] = packet[payloadEnd + i] as number;
    const payload = packet.subarray(payloadStart, payloadEnd);
    const header = headerOf(packet, headerStart, payloadStart);
    const nonce = this.#nonce.set(packetNumber);
    return (
      this.#sodium.crypto_aead_chacha20poly1305_ietf_decrypt_detached(
        payload,
        payload,
        tag,
        header,
        nonce,
        this.#key,
      ) === 0
    );
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
    checkRoom(packet, payloadEnd);
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
    if (!isWithin(packet, headerStart, payloadStart, end)) return false;
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
    hmac,
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
