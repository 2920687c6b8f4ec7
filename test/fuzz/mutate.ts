/** Hostile datagrams: random bytes, real ones damaged in every way, Initial packets that anybody can forge. Seeded. */
import { Writer } from '../../src/base/bytes.ts';
import type { SeededRandom } from '../../src/base/random.ts';
import { type CryptoProvider, TAG_BYTES } from '../../src/crypto/protection.ts';
import { DATAGRAM_BYTES_MIN, patchLength, writeInitialHeader } from '../../src/wire/header.ts';

const SIZE_MAX = 1500;
/** Real datagrams kept to damage. */
const CAPTURED_MAX = 512;

export class Mutator {
  readonly #random: SeededRandom;
  readonly #crypto: CryptoProvider;
  readonly #captured: Uint8Array[] = [];
  #at = 0;

  constructor(random: SeededRandom, crypto: CryptoProvider) {
    this.#random = random;
    this.#crypto = crypto;
  }

  /** A real datagram, in either direction. Copied. */
  capture(datagram: Uint8Array): void {
    this.#captured[this.#at] = datagram.slice();
    this.#at = (this.#at + 1) % CAPTURED_MAX;
  }

  /** The next hostile datagram; the receiver may keep it. */
  next(): Uint8Array {
    switch (this.#below(8)) {
      case 0:
        return this.bytes(this.#below(SIZE_MAX));
      case 1:
        return this.#real();
      case 2:
        return this.#flipped();
      case 3:
        return this.#truncated();
      case 4:
        return this.#spliced();
      case 5:
        return this.#lying();
      case 6:
        return this.#longHeader();
      default:
        return this.#sealedInitial();
    }
  }

  #below(limit: number): number {
    return this.#random.u32() % limit;
  }

  bytes(size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    this.#random.fill(bytes);
    return bytes;
  }

  /** As it was: a replay. */
  #real(): Uint8Array {
    const from = this.#captured[this.#below(Math.max(1, this.#captured.length))];
    return from === undefined ? this.bytes(50) : from.slice();
  }

  #flipped(): Uint8Array {
    const bytes = this.#real();
    for (let flips = 1 + this.#below(4); flips > 0; flips--) this.#flip(bytes, bytes.length);
    return bytes;
  }

  #flip(bytes: Uint8Array, end: number): void {
    const at = this.#below(Math.max(1, end));
    bytes[at] = (bytes[at] as number) ^ (1 << this.#below(8));
  }

  #truncated(): Uint8Array {
    const bytes = this.#real();
    return bytes.subarray(0, this.#below(bytes.length + 1));
  }

  /** The beginning of one and the end of another. */
  #spliced(): Uint8Array {
    const first = this.#real();
    const second = this.#real();
    const head = this.#below(first.length + 1);
    const tail = this.#below(second.length + 1);
    const bytes = new Uint8Array(Math.min(SIZE_MAX, head + second.length - tail));
    bytes.set(first.subarray(0, Math.min(head, bytes.length)));
    bytes.set(
      second.subarray(tail, tail + bytes.length - Math.min(head, bytes.length)),
      Math.min(head, bytes.length),
    );
    return bytes;
  }

  /** Another Length, or other flags of the first byte, over a real packet. */
  #lying(): Uint8Array {
    const bytes = this.#real();
    if (bytes.length < 20) return bytes;
    bytes[0] = this.#below(4) === 0 ? this.#below(256) : (bytes[0] as number) | 0x20;
    bytes[9] = this.#below(2) === 0 ? 0xff : this.#below(8);
    bytes[10] = this.#below(256);
    return bytes;
  }

  /** A long header of this version, another or none, with connection IDs of any length. */
  #longHeader(): Uint8Array {
    const bytes = this.bytes(this.#below(2) === 0 ? DATAGRAM_BYTES_MIN : this.#below(SIZE_MAX));
    const version = [0x6d720001, 0x6d720002, 0, 1, 0xfaceb00c][this.#below(5)] as number;
    const head = [
      0xc0 | this.#below(64),
      version >>> 24,
      version >>> 16,
      version >>> 8,
      version,
      this.#below(24),
    ];
    bytes.set(head.slice(0, bytes.length).map((byte) => byte & 255));
    return bytes;
  }

  /** An Initial packet that opens, for its keys come from its own connection ID; its frames are garbage. */
  #sealedInitial(): Uint8Array {
    const out = new Uint8Array(DATAGRAM_BYTES_MIN);
    const dcid = this.bytes(8 + this.#below(13));
    const writer = new Writer().reset(out, 0, DATAGRAM_BYTES_MIN - TAG_BYTES);
    const lengthAt = writeInitialHeader(
      writer,
      dcid,
      this.bytes(8),
      this.bytes(this.#below(4)),
      this.#below(3),
    );
    const payloadStart = writer.at;
    patchLength(out, lengthAt, DATAGRAM_BYTES_MIN - lengthAt - 2);
    const garbage = this.bytes(this.#below(200));
    // Mostly frames that an Initial packet may hold, so that their fields are read too.
    if (garbage.length > 0 && this.#below(4) > 0)
      garbage[0] = [0x01, 0x02, 0x06, 0x20, 0x1c, 0x1d][this.#below(6)] as number;
    out.set(garbage, payloadStart);
    const { client } = this.#crypto.initialSecrets(dcid);
    const packetNumber = readNumber(out, payloadStart);
    this.#crypto.protection(client).seal(out, 0, payloadStart, DATAGRAM_BYTES_MIN - TAG_BYTES, packetNumber);
    return out;
  }

  /** Damages the frames of a packet before it is sealed: what a hostile peer with keys can do. */
  damage(packet: Uint8Array, start: number, end: number): void {
    if (end <= start) return;
    switch (this.#below(4)) {
      case 0:
        packet[start] = this.#below(0x38);
        return;
      case 1:
        this.#random.fill(packet.subarray(start + this.#below(end - start), end));
        return;
      case 2:
        packet.fill(0xff, start + 1, Math.min(end, start + 1 + this.#below(12)));
        return;
      default:
        for (let flips = 1 + this.#below(8); flips > 0; flips--) {
          const at = start + this.#below(Math.min(40, end - start));
          packet[at] = this.#below(256);
        }
    }
  }
}

function readNumber(bytes: Uint8Array, payloadStart: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(payloadStart - 4);
}
