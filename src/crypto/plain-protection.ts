/**
 * A stand-in for simulations: deterministic, fast, and no protection at all. Payloads stay readable; the "tag" is a
 * keyed checksum of 64 bits that notices damage and wrong keys. The public API cannot select it (DESIGN D2).
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
  /** The two checksums of the packet at hand, 32 bits each. */
  #first = 0;
  #second = 0;
  #view: DataView = new DataView(new ArrayBuffer(0));

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
    this.#sum(packet, headerStart, payloadEnd, packetNumber);
    for (let i = 0; i < TAG_BYTES; i++) packet[payloadEnd + i] = this.#tagByte(i);
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
    this.#sum(packet, headerStart, payloadEnd, packetNumber);
    for (let i = 0; i < TAG_BYTES; i++) if (packet[payloadEnd + i] !== this.#tagByte(i)) return false;
    return true;
  }

  #tagByte(i: number): number {
    return ((((i & 4) === 0 ? this.#first : this.#second) >>> ((i & 3) * 8)) & 255) ^ i;
  }

  /**
   * Two checksums of [start, end) in words of 32 bits: for whole packets, four times as fast as bytes. In the first, FNV-1a
   * with a rotation, every step is a bijection: damage within one word never goes unnoticed. Two bits in neighbouring words
   * may, and did once in some ten thousand damaged packets: the second, the mixing of MurmurHash3, has another structure.
   */
  #sum(bytes: Uint8Array, start: number, end: number, packetNumber: number): void {
    const seed = this.#key ^ fold(packetNumber);
    let first = 0x811c9dc5 ^ seed;
    let second = seed;
    const words = this.#viewOf(bytes);
    const left = (end - start) & 3;
    const stop = bytes.byteOffset + end - left;
    for (let at = bytes.byteOffset + start; at < stop; at += 4) {
      const word = words.getInt32(at, true);
      first = fnv(first, word);
      second = murmur(second, word);
    }
    const word = lastWord(bytes, end - left, end);
    first = fnv(first, word);
    second = murmur(second, word);
    this.#first = first ^ (end - start);
    this.#second = second ^ (end - start);
  }

  /** The whole memory that a packet lies in: many lie in one piece, and a word from a view costs a quarter of four bytes. */
  #viewOf({ buffer }: Uint8Array): DataView {
    if (this.#view.buffer !== buffer) this.#view = new DataView(buffer);
    return this.#view;
  }
}

/** One step of FNV-1a in words, with a rotation. */
function fnv(sum: number, word: number): number {
  const mixed = Math.imul(sum ^ word, 0x01000193);
  return (mixed << 13) | (mixed >>> 19);
}

/** One step of MurmurHash3. */
function murmur(sum: number, word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51);
  const taken = sum ^ Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
  return (Math.imul((taken << 13) | (taken >>> 19), 5) + 0xe6546b64) | 0;
}

/** Up to three bytes, or nothing. */
function lastWord(bytes: Uint8Array, at: number, end: number): number {
  let word = 0;
  for (let i = 0; at + i < end; i++) word |= (bytes[at + i] as number) << (8 * i);
  return word;
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

function digest(bytes: Uint8Array, salt: number): Uint8Array {
  const out = new Uint8Array(32);
  for (let i = 0; i < 32; i += 4) {
    const sum = checksum(bytes, 0, bytes.length, salt + i * 0x9e3779b1);
    for (let j = 0; j < 4; j++) out[i + j] = sum >>> (j * 8);
  }
  return out;
}
