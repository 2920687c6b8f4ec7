/**
 * Seeded randomness for the core and the simulator: the core never reads a global source, it is handed one of these.
 * Source: sfc32 (Chris Doty-Humphrey, PractRand), 128 bits of state, period of at least 2^32.
 */
export interface Random {
  /** An integer in 0..2^32-1. */
  u32(): number;
  /** A double in [0, 1). */
  unit(): number;
  /** Fills the whole array. */
  fill(bytes: Uint8Array): void;
}

/** Equal seeds give equal sequences on every platform. Not for secrets: the node layer hands the core a secure source. */
export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed Integer in 0..2^53-1. */
  constructor(seed: number) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 4_294_967_296) >>> 0;
    this.#c = 0x6d696c6c;
    for (let i = 0; i < 16; i++) this.u32();
  }

  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  unit(): number {
    return this.u32() / 4_294_967_296;
  }

  fill(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.u32() & 255;
  }

  /** A new generator, independent for practical purposes: one per link, host and purpose keeps scenarios stable. */
  fork(): SeededRandom {
    return new SeededRandom(this.u32() * 2_097_152 + (this.u32() >>> 11));
  }
}
