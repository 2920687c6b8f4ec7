/**
 * Retry tokens: proof that a caller receives what is sent to its address, without remembering anything of it. In: a
 * caller's address and first connection ID, tokens that come back. Out: tokens; true for one that is genuine, fresh and
 * used for the first time. Source: RFC 9000 §8.1.3, §8.1.4; docs/wire-format.md §1.4.
 */
import { concatBytes, equalSecrets, Writer } from '../base/bytes.ts';
import { MILLISECOND, type Micros } from '../base/protocol.ts';
import type { Mac } from './stateless-reset.ts';

/** Time of issue in ms (4 bytes), then the keyed hash. */
export const RETRY_TOKEN_BYTES = 20;
const TIME_BYTES = 4;
const TWO_32 = 4_294_967_296;
/** A caller answers a Retry at once. */
const LIFETIME_MS = 15_000;
/** Tokens remembered as used, twice: what was used in this lifetime and in the one before. */
export const USED_TOKENS_MAX = 16_384;

export class RetryTokens {
  readonly #mac: Mac;
  readonly #key: Uint8Array;
  #used: Set<string> = new Set();
  #usedBefore: Set<string> = new Set();
  #turnedUs: Micros = 0;

  /** @param key Random, 32 bytes: tokens are good for as long as it lives. */
  constructor(mac: Mac, key: Uint8Array) {
    this.#mac = mac;
    this.#key = key;
  }

  /** A token for a caller. @param address What the caller is known by; it must come from there again. */
  issue(address: Uint8Array, originalId: Uint8Array, now: Micros): Uint8Array {
    const token = new Uint8Array(RETRY_TOKEN_BYTES);
    new Writer().reset(token).u32(Math.floor(now / MILLISECOND));
    token.set(this.#tag(token, address, originalId), TIME_BYTES);
    return token;
  }

  /** True for a token that was issued to this caller in the last 15 s. */
  isGenuine(token: Uint8Array, address: Uint8Array, originalId: Uint8Array, now: Micros): boolean {
    if (token.length !== RETRY_TOKEN_BYTES) return false;
    if (!equalSecrets(token.subarray(TIME_BYTES), this.#tag(token, address, originalId))) return false;
    const issuedMs = readU32(token);
    const ageMs = (Math.floor(now / MILLISECOND) - issuedMs + TWO_32) % TWO_32;
    return ageMs <= LIFETIME_MS;
  }

  /** Uses a genuine token up. False: it was used before. */
  use(token: Uint8Array, now: Micros): boolean {
    this.#turn(now);
    let key = '';
    for (const byte of token) key += String.fromCharCode(byte);
    if (this.#used.has(key) || this.#usedBefore.has(key) || this.#used.size >= USED_TOKENS_MAX) return false;
    this.#used.add(key);
    return true;
  }

  #turn(now: Micros): void {
    if (now - this.#turnedUs < LIFETIME_MS * MILLISECOND) return;
    const isLongAgo = now - this.#turnedUs >= 2 * LIFETIME_MS * MILLISECOND;
    this.#usedBefore = isLongAgo ? new Set() : this.#used;
    this.#used = new Set();
    this.#turnedUs = now;
  }

  #tag(token: Uint8Array, address: Uint8Array, originalId: Uint8Array): Uint8Array {
    const data = concatBytes([
      token.subarray(0, TIME_BYTES),
      Uint8Array.of(originalId.length),
      originalId,
      address,
    ]);
    return this.#mac(this.#key, data).subarray(0, RETRY_TOKEN_BYTES - TIME_BYTES);
  }
}

function readU32(bytes: Uint8Array): number {
  let value = 0;
  for (let i = 0; i < TIME_BYTES; i++) value = value * 256 + (bytes[i] as number);
  return value;
}
