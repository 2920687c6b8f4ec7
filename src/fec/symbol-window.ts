/**
 * The source symbols of a track that a block may still refer to, by symbol id: a ring that grows up to a limit, and
 * per missing symbol the blocks with repair symbols that touch it. O(1) per symbol.
 */
import type { LiveBlock } from './repair-system.ts';

const CAPACITY_FIRST = 64;

export class SymbolWindow {
  /** Ids below it are forgotten. */
  base = 0;
  /** One more than the highest symbol id at hand. */
  end = 0;
  /** Memory of the datagrams that the symbols at hand are views of; neighbours of one datagram, or batch, count it once. */
  heldBytes = 0;
  readonly #symbolsMax: number;
  #mask = CAPACITY_FIRST - 1;
  #symbols: (Uint8Array | undefined)[] = new Array(CAPACITY_FIRST);
  #coverage: (LiveBlock[] | undefined)[] = new Array(CAPACITY_FIRST);

  /** @param symbolsMax Ids it spans at most; a power of two, at least 64. */
  constructor(symbolsMax: number) {
    this.#symbolsMax = symbolsMax;
  }

  /** The symbol, or undefined if it is missing. `id` lies in [base, base + symbolsMax). */
  get(id: number): Uint8Array | undefined {
    return id < this.end ? this.#symbols[id & this.#mask] : undefined;
  }

  /** Makes room for `id` so that `put` and `cover` may be used; false if that needs a higher base. */
  fits(id: number): boolean {
    const span = id - this.base;
    if (span >= this.#symbolsMax) return false;
    if (span > this.#mask) this.#grow(span);
    return true;
  }

  /** Stores a symbol; `id` fits and is missing. Keeps the view. */
  put(id: number, bytes: Uint8Array): void {
    const { buffer } = bytes;
    if (this.#bufferAt(id - 1) !== buffer) this.heldBytes += buffer.byteLength;
    if (this.#bufferAt(id + 1) === buffer) this.heldBytes -= buffer.byteLength;
    this.#symbols[id & this.#mask] = bytes;
    if (id >= this.end) this.end = id + 1;
  }

  /** The blocks that touch missing symbol `id`, if any. */
  coverage(id: number): LiveBlock[] | undefined {
    return this.#coverage[id & this.#mask];
  }

  /** Notes that `block` touches missing symbol `id`, which fits. */
  cover(id: number, block: LiveBlock): void {
    const slot = id & this.#mask;
    const blocks = this.#coverage[slot];
    if (blocks === undefined) this.#coverage[slot] = [block];
    else blocks.push(block);
  }

  /** Undoes `cover`. */
  uncover(id: number, block: LiveBlock): void {
    const blocks = this.#coverage[id & this.#mask];
    const at = blocks === undefined ? -1 : blocks.indexOf(block);
    if (blocks === undefined || at < 0) return;
    if (blocks.length === 1) this.#coverage[id & this.#mask] = undefined;
    else blocks.splice(at, 1);
  }

  /** Forgets which blocks touch `id`: it is at hand now. */
  clearCoverage(id: number): void {
    this.#coverage[id & this.#mask] = undefined;
  }

  /** Forgets every id below `base`. No live block may begin below it. */
  slideTo(base: number): void {
    const stop = Math.min(base, this.base + this.#mask + 1);
    for (let id = this.base; id < stop; id++) {
      const slot = id & this.#mask;
      const buffer = this.#symbols[slot]?.buffer;
      if (buffer !== undefined && this.#bufferAt(id + 1) !== buffer) this.heldBytes -= buffer.byteLength;
      this.#symbols[slot] = undefined;
      this.#coverage[slot] = undefined;
    }
    this.base = base;
    if (this.end < base) this.end = base;
  }

  #bufferAt(id: number): ArrayBufferLike | undefined {
    return id >= this.base && id < this.end ? this.#symbols[id & this.#mask]?.buffer : undefined;
  }

  #grow(span: number): void {
    const mask = this.#mask;
    let capacity = mask + 1;
    while (capacity <= span) capacity *= 2;
    const symbols: (Uint8Array | undefined)[] = new Array(capacity);
    const coverage: (LiveBlock[] | undefined)[] = new Array(capacity);
    for (let id = this.base; id <= this.base + mask; id++) {
      symbols[id & (capacity - 1)] = this.#symbols[id & mask];
      coverage[id & (capacity - 1)] = this.#coverage[id & mask];
    }
    this.#symbols = symbols;
    this.#coverage = coverage;
    this.#mask = capacity - 1;
  }
}
