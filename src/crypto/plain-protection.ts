/**
 * A stand-in for simulations: deterministic, fast, and no protection at all. Payloads stay readable; the "tag" is a
 * keyed checksum that notices damage and wrong keys. The public API cannot select it (DESIGN D2).
 */
import { concatBytes } from '../base/bytes.ts';
import type { CryptoProvider, PacketProtection } from './protection.ts';
import { TAG_BYTES } from './protection.ts';

const TWO_32 = 4_294_967_296;

/** A CryptoProvider without cryptography. */
export const plainCrypto: CryptoProvider = {
  engine: 'plain',
  protection: (secret) => new PlainProtection(secret),
  nextSecret: (secret) => digest(secret, 0x6b75),
  initialSecrets: (originalId) => ({ client: digest(originalId, 0x63), server: digest(originalId, 0x73) }),
  sha256: (bytes) => digest(bytes, 0),
  hmac: (key, data) => digest(concatBytes([key, data]), 0x6d),
};

class PlainProtection implements PacketProtection {
  readonly #key: number;

  constructor(secret: Uint8Array) {
    this.#key = checksum(secret, 0, secret.length, 1);
  }

  seal(
    packet: Uint8Array,
    headerStart: number,
    _payloadStart: number,
    payloadEnd: number,
    packetNumber: number,
  ): void {
    if (payloadEnd + TAG_BYTES > packet.length) throw new RangeError('no room for the tag of a packet');
    const sum = wordSum(packet, headerStart, payloadEnd, this.#key ^ fold(packetNumber));
    for (let i = 0; i < TAG_BYTES; i++) packet[payloadEnd + i] = (sum >>> ((i & 3) * 8)) ^ i;
  }

  open(
    packet: Uint8Array,
    headerStart: number,
    payloadStart: number,
    end: number,
    packetNumber: number,
  ): boolean {
    const payloadEnd = end - TAG_BYTES;
    if (headerStart > payloadStart || payloadEnd < payloadStart || end > packet.length) return false;
    const sum = wordSum(packet, headerStart, payloadEnd, this.#key ^ fold(packetNumber));
    for (let i = 0; i < TAG_BYTES; i++) {
      if (packet[payloadEnd + i] !== (((sum >>> ((i & 3) * 8)) ^ i) & 255)) return false;
    }
    return true;
  }
}

/** All 53 bits of a packet number in 32: the low ones alone would take number 2^32 + n for n. */
function fold(packetNumber: number): number {
  return (packetNumber | 0) ^ Math.imul((packetNumber / TWO_32) | 0, 0x9e3779b1);
}

/** FNV-1a over [start, end), 32 bits. */
function checksum(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let sum = 0x811c9dc5 ^ seed;
  for (let i = start; i < end; i++) sum = Math.imul(sum ^ (bytes[i] as number), 0x01000193);
  return sum >>> 0;
}

/**
 * The same over words of 32 bits, with a rotation so that the upper bits of one word reach the lower bits of the next: for
 * whole packets, four times as fast. Every step is a bijection: damage within one word never goes unnoticed.
 */
function wordSum(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let sum = 0x811c9dc5 ^ seed;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
    const word = low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
    sum = Math.imul(sum ^ word, 0x01000193);
    sum = (sum << 13) | (sum >>> 19);
  }
  return checksum(bytes, at, end, sum);
}

function digest(bytes: Uint8Array, salt: number): Uint8Array {
  const out = new Uint8Array(32);
  for (let i = 0; i < 32; i += 4) {
    const sum = checksum(bytes, 0, bytes.length, salt + i * 0x9e3779b1);
    for (let j = 0; j < 4; j++) out[i + j] = sum >>> (j * 8);
  }
  return out;
}
