/**
 * The checks that every build of the erasure code makes before it touches a byte. In: a caller's arguments. Out: nothing,
 * or a TypeError or RangeError that names the argument. Rows come from the wire: wrong ones are dropped and counted.
 */
import { BLOCK_SYMBOLS_MAX, type RepairEquations, SYMBOL_BYTES_MAX, UNKNOWNS_MAX } from './codec.ts';

/** @throws TypeError unless `value` is a number, RangeError unless it is an integer in `min..max`. */
function checkInteger(name: string, value: number, min: number, max: number): void {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not ${typeof value}`);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} must be an integer in ${min}..${max}, not ${value}`);
  }
}

function checkArray(name: string, value: readonly unknown[]): void {
  if (!Array.isArray(value)) throw new TypeError(`${name} must be an array`);
}

function checkBytes(name: string, value: Uint8Array, max: number): void {
  if (!(value instanceof Uint8Array)) throw new TypeError(`each of ${name} must be a Uint8Array`);
  if (value.length > max)
    throw new RangeError(`each of ${name} must be at most ${max} bytes, not ${value.length}`);
}

/** For `ErasureCodec.encode`. */
export function checkEncode(
  k: number,
  r: number,
  symbols: readonly Uint8Array[],
  symbolBytes: number,
  firstRow: number,
): void {
  checkInteger('k', k, 1, BLOCK_SYMBOLS_MAX - 1);
  checkInteger('firstRow', firstRow, 0, BLOCK_SYMBOLS_MAX - 1 - k);
  checkInteger('r', r, 1, BLOCK_SYMBOLS_MAX - k - firstRow);
  checkInteger('symbolBytes', symbolBytes, 1, SYMBOL_BYTES_MAX);
  checkArray('symbols', symbols);
  if (symbols.length !== k) throw new RangeError(`symbols must hold k = ${k}, not ${symbols.length}`);
  for (let j = 0; j < k; j++) checkBytes('symbols', symbols[j] as Uint8Array, symbolBytes);
}

/** For `ErasureCodec.decode`, and for each block of `solve`. */
export function checkDecode(
  k: number,
  symbols: readonly (Uint8Array | undefined)[],
  rows: readonly number[],
  repair: readonly Uint8Array[],
  symbolBytes: number,
): void {
  checkInteger('k', k, 1, BLOCK_SYMBOLS_MAX);
  checkInteger('symbolBytes', symbolBytes, 1, SYMBOL_BYTES_MAX);
  checkArray('symbols', symbols);
  checkArray('rows', rows);
  checkArray('repair', repair);
  if (symbols.length !== k) throw new RangeError(`symbols must hold k = ${k}, not ${symbols.length}`);
  if (rows.length !== repair.length) {
    throw new RangeError(`rows and repair must be equally long, not ${rows.length} and ${repair.length}`);
  }
  for (let j = 0; j < k; j++) {
    const symbol = symbols[j];
    if (symbol !== undefined) checkBytes('symbols', symbol, symbolBytes);
  }
  for (let i = 0; i < repair.length; i++) checkBytes('repair', repair[i] as Uint8Array, symbolBytes);
}

/** For `ErasureCodec.solve`. */
export function checkSolve(
  unknownCount: number,
  blocks: readonly RepairEquations[],
  symbolBytes: number,
): void {
  checkInteger('unknownCount', unknownCount, 0, UNKNOWNS_MAX);
  checkArray('blocks', blocks);
  for (const block of blocks) {
    if (typeof block !== 'object' || block === null) throw new TypeError('each of blocks must be an object');
    checkArray('symbols', block.symbols);
    checkDecode(block.symbols.length, block.symbols, block.rows, block.repair, symbolBytes);
    checkUnknowns(unknownCount, block);
  }
  checkInteger('symbolBytes', symbolBytes, 1, SYMBOL_BYTES_MAX);
}

/** Each missing symbol of a block is one unknown, and no two are the same. */
function checkUnknowns(unknownCount: number, block: RepairEquations): void {
  const { symbols, unknowns } = block;
  checkArray('unknowns', unknowns);
  if (unknowns.length !== symbols.length) {
    throw new RangeError(`unknowns must be as long as symbols, ${symbols.length}, not ${unknowns.length}`);
  }
  let seenLow = 0;
  let seenHigh = 0;
  for (let j = 0; j < symbols.length; j++) {
    if (symbols[j] !== undefined) continue;
    const unknown = unknowns[j] as number;
    checkInteger('each of unknowns', unknown, 0, unknownCount - 1);
    const bit = 1 << (unknown & 31);
    if ((unknown < 32 ? seenLow : seenHigh) & bit) {
      throw new RangeError(`unknown ${unknown} stands for two symbols of one block`);
    }
    if (unknown < 32) seenLow |= bit;
    else seenHigh |= bit;
  }
}

/** Tells rows fit for use from those that are out of range or repeated, and counts the latter. */
export class RowFilter {
  /** Rows dropped so far. */
  dropped = 0;
  /** Shape [256]: the block in which a row was last seen; saves clearing it for every block. */
  readonly #seenIn: Uint32Array = new Uint32Array(256);
  #block = 0;

  /** Opens a block: no row of it has been seen. */
  open(): void {
    this.#block = (this.#block + 1) >>> 0;
    // After 2^32 blocks a mark could be mistaken for this block's.
    if (this.#block === 0) {
      this.#seenIn.fill(0);
      this.#block = 1;
    }
  }

  /** True the first time a row of 0..254-k comes by in this block; counts it as dropped otherwise. */
  accepts(row: number, k: number): boolean {
    if (
      !Number.isInteger(row) ||
      row < 0 ||
      row >= BLOCK_SYMBOLS_MAX - k ||
      this.#seenIn[row] === this.#block
    ) {
      this.dropped++;
      return false;
    }
    this.#seenIn[row] = this.#block;
    return true;
  }
}
