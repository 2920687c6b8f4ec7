/**
 * Source symbols that come in two or more parts, because a packet became smaller after they were cut. Rare.
 * Source: docs/wire-format.md §3.6 (PART).
 */
import { Ranges } from '../base/ranges.ts';
import type { HeldShare } from './held.ts';
import { FRAME_HELD_BYTES, PARTIAL_SYMBOLS_MAX } from './limits.ts';

/** No datagram of the sizes probed (at most 1452 bytes) carries a larger one: a claim above allocates nothing. */
const SYMBOL_BYTES_MAX = 2_048;
/** Gaps in one symbol: halves make at most one. */
const PIECES_MAX = 8;

interface PartialSymbol {
  readonly bytes: Uint8Array;
  readonly have: Ranges;
}

/** See the file header. */
export class PartialSymbols {
  readonly #symbols: Map<number, PartialSymbol> = new Map();
  readonly #held: HeldShare;

  constructor(held: HeldShare) {
    this.#held = held;
  }

  get count(): number {
    return this.#symbols.size;
  }

  /**
   * Takes one part.
   *
   * @returns The whole symbol once complete; undefined before, or if the part contradicts an earlier one.
   */
  add(id: number, symbolBytes: number, offset: number, part: Uint8Array): Uint8Array | undefined {
    if (symbolBytes > SYMBOL_BYTES_MAX || offset + part.length > symbolBytes) return undefined;
    let symbol = this.#symbols.get(id);
    if (symbol === undefined) {
      symbol = { bytes: new Uint8Array(symbolBytes), have: new Ranges() };
      this.#symbols.set(id, symbol);
      this.#held.charge(symbolBytes + FRAME_HELD_BYTES);
      while (this.#symbols.size > PARTIAL_SYMBOLS_MAX || this.#held.isExceeded) this.#forgetOldest();
    }
    if (symbol.bytes.length !== symbolBytes || symbol.have.count >= PIECES_MAX) return undefined;
    symbol.bytes.set(part, offset);
    symbol.have.add(offset, offset + part.length);
    if (!symbol.have.covers(0, symbolBytes)) return undefined;
    this.#forget(id, symbol);
    return symbol.bytes;
  }

  #forgetOldest(): void {
    for (const [id, symbol] of this.#symbols) {
      this.#forget(id, symbol);
      return;
    }
  }

  #forget(id: number, symbol: PartialSymbol): void {
    if (this.#symbols.delete(id)) this.#held.charge(-symbol.bytes.length - FRAME_HELD_BYTES);
  }

  clear(): void {
    while (this.#symbols.size > 0) this.#forgetOldest();
  }
}
