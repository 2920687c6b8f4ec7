/**
 * The bytes of the throughput bench and their fingerprint, both cheap enough not to be what is measured.
 * Content: pieces of 64 KiB cut from 4 MiB of seeded noise at scattered places: no piece costs the sender anything.
 * Fingerprint: SHA-256 over the CRC-32 of each MiB in order. SHA-256 over everything would cost more than the transport
 * (0.2 GB/s here without SHA instructions; CRC-32 runs at 2 GB/s or more).
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { SeededRandom } from '../../src/base/random.ts';

export const PIECE_BYTES = 65_536;
const NOISE_BYTES = 4_194_304;
const SECTION_BYTES = 1_048_576;

/** The content: `piece(i)` is a view, the same for the same seed. */
export class Content {
  readonly #noise: Uint8Array = new Uint8Array(NOISE_BYTES);

  constructor(seed: number) {
    new SeededRandom(seed).fill(this.#noise);
  }

  piece(index: number): Uint8Array {
    const start = (Math.imul(index + 1, 0x9e3779b1) >>> 0) % (NOISE_BYTES - PIECE_BYTES);
    return this.#noise.subarray(start, start + PIECE_BYTES);
  }
}

/** Takes bytes in any pieces; the same bytes give the same fingerprint. */
export class Fingerprint {
  readonly #hash = createHash('sha256');
  readonly #section = Buffer.alloc(4);
  #crc = 0;
  #filled = 0;
  bytes = 0;

  update(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    let at = 0;
    while (at < bytes.length) {
      const size = Math.min(bytes.length - at, SECTION_BYTES - this.#filled);
      this.#crc = crc32(bytes.subarray(at, at + size), this.#crc);
      this.#filled += size;
      at += size;
      if (this.#filled === SECTION_BYTES) this.#close();
    }
  }

  #close(): void {
    this.#section.writeUInt32BE(this.#crc);
    this.#hash.update(this.#section);
    this.#crc = 0;
    this.#filled = 0;
  }

  digest(): string {
    if (this.#filled > 0) this.#close();
    return this.#hash.digest('hex');
  }
}
