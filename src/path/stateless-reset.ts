/**
 * Stateless reset: how an end that has forgotten a connection says so, to nobody but whoever has its token. In: packets for
 * unknown connections, and what may be a reset. Out: resets to send, tokens. Source: RFC 9000 §10.3; docs/wire-format.md §1.5.
 */
import { type Micros, SECOND } from '../base/protocol.ts';
import type { Random } from '../base/random.ts';
import { CONNECTION_ID_BYTES, RESET_TOKEN_BYTES } from '../wire/header.ts';

/** A keyed hash of at least 16 bytes: HMAC-SHA256. */
export type Mac = (key: Uint8Array, data: Uint8Array) => Uint8Array;

/** Every reset is at most so long, and only something longer is answered with one: two ends cannot answer each other. */
export const RESET_BYTES_MAX = 42;
/** A first byte, random bytes in place of a header, the token. */
const RESET_BYTES_MIN = 21;
/** Resets in a burst, and how fast the allowance comes back: a flood of garbage is not to be doubled. */
const BURST_MAX = 16;
const INTERVAL_US: Micros = SECOND / 50;

/** The token of a connection ID: the same again after everything else was forgotten. */
export function resetTokenOf(mac: Mac, key: Uint8Array, id: Uint8Array): Uint8Array {
  return mac(key, id).slice(0, RESET_TOKEN_BYTES);
}

/** The token as a key of a map; undefined for what is too short to be a reset. */
export function tokenKey(bytes: Uint8Array): string | undefined {
  if (bytes.length < RESET_TOKEN_BYTES) return undefined;
  let key = '';
  for (let i = bytes.length - RESET_TOKEN_BYTES; i < bytes.length; i++) {
    key += String.fromCharCode(bytes[i] as number);
  }
  return key;
}

/** True if a datagram is long enough to be a reset. */
export function mayBeReset(datagram: Uint8Array): boolean {
  return datagram.length >= RESET_BYTES_MIN;
}

/** Makes resets, at a bounded rate. */
export class ResetMaker {
  readonly #mac: Mac;
  readonly #key: Uint8Array;
  readonly #random: Random;
  #allowance = BURST_MAX;
  #refilledUs: Micros = 0;

  constructor(mac: Mac, key: Uint8Array, random: Random) {
    this.#mac = mac;
    this.#key = key;
    this.#random = random;
  }

  tokenOf(id: Uint8Array): Uint8Array {
    return resetTokenOf(this.#mac, this.#key, id);
  }

  /** The answer to a short packet for a connection that is unknown here; undefined: none. */
  answer(datagram: Uint8Array, now: Micros): Uint8Array | undefined {
    if (datagram.length <= RESET_BYTES_MAX || !this.#take(now)) return undefined;
    const spread = this.#random.u32() % (RESET_BYTES_MAX - RESET_BYTES_MIN + 1);
    const reset = new Uint8Array(RESET_BYTES_MIN + spread);
    this.#random.fill(reset);
    // The fixed bit, and no long header: what a short packet looks like.
    reset[0] = ((reset[0] as number) & 0x3f) | 0x40;
    reset.set(this.tokenOf(datagram.subarray(1, 1 + CONNECTION_ID_BYTES)), reset.length - RESET_TOKEN_BYTES);
    return reset;
  }

  #take(now: Micros): boolean {
    const earned = Math.floor((now - this.#refilledUs) / INTERVAL_US);
    if (earned > 0) {
      this.#allowance = Math.min(BURST_MAX, this.#allowance + earned);
      this.#refilledUs += earned * INTERVAL_US;
    }
    if (this.#allowance === 0) return false;
    this.#allowance--;
    return true;
  }
}
