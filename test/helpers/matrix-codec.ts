/**
 * A stand-in for the erasure code, slow and plain: the generator of docs/wire-format.md §4 from its formula, with
 * carry-less multiplication, and Gauss-Jordan elimination. Shares no code with src/, so it serves as an oracle too.
 */
import type { ErasureCodec, RepairEquations } from '../../src/fec/codec.ts';

const PRODUCTS: Uint8Array = Uint8Array.from({ length: 65_536 }, (_, index) => {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) if (index & (1 << bit)) product ^= (index >> 8) << bit;
  for (let bit = 14; bit >= 8; bit--) if (product & (1 << bit)) product ^= 0x11d << (bit - 8);
  return product;
});

export function gfMultiply(a: number, b: number): number {
  return PRODUCTS[a * 256 + b] as number;
}

const INVERSE: number[] = [0];
for (let a = 1; a < 256; a++) for (let b = 1; b < 256; b++) if (gfMultiply(a, b) === 1) INVERSE[a] = b;

export function coefficient(k: number, row: number, j: number): number {
  let value = 1;
  for (let m = 0; m < k; m++) {
    if (m !== j) value = gfMultiply(value, gfMultiply((k + row) ^ m, INVERSE[j ^ m] as number));
  }
  return value;
}

/** Reduces in place (coefficients first, payload after). Returns the column of each row's leading entry. */
export function reduce(rows: number[][], columns: number): number[] {
  const pivots: number[] = [];
  let rank = 0;
  for (let column = 0; column < columns && rank < rows.length; column++) {
    const found = rows.findIndex((row, i) => i >= rank && row[column] !== 0);
    if (found < 0) continue;
    [rows[rank], rows[found]] = [rows[found] as number[], rows[rank] as number[]];
    const lead = rows[rank] as number[];
    const scale = INVERSE[lead[column] as number] as number;
    for (let i = 0; i < lead.length; i++) lead[i] = gfMultiply(lead[i] as number, scale);
    for (let other = 0; other < rows.length; other++) {
      const row = rows[other] as number[];
      const factor = row[column] as number;
      if (other === rank || factor === 0) continue;
      for (let i = 0; i < row.length; i++)
        row[i] = (row[i] as number) ^ gfMultiply(factor, lead[i] as number);
    }
    pivots.push(column);
    rank++;
  }
  return pivots;
}

export class MatrixCodec implements ErasureCodec {
  readonly engine = 'typescript';
  droppedRows = 0;
  solveCount = 0;

  encode(
    k: number,
    r: number,
    symbols: readonly Uint8Array[],
    symbolBytes: number,
    firstRow = 0,
  ): Uint8Array[] {
    if (k < 1 || r < 1 || k + firstRow + r > 255) throw new RangeError('bad block');
    return Array.from({ length: r }, (_, i) => this.#row(k, firstRow + i, symbols, symbolBytes));
  }

  #row(
    k: number,
    row: number,
    symbols: readonly (Uint8Array | undefined)[],
    symbolBytes: number,
  ): Uint8Array {
    const out = new Uint8Array(symbolBytes);
    for (let j = 0; j < k; j++) {
      const symbol = symbols[j];
      if (symbol === undefined) continue;
      const factor = coefficient(k, row, j);
      for (let i = 0; i < symbol.length; i++)
        out[i] = (out[i] as number) ^ gfMultiply(factor, symbol[i] as number);
    }
    return out;
  }

  decode(): number | null {
    throw new Error('not needed');
  }

  solve(
    unknownCount: number,
    blocks: readonly RepairEquations[],
    symbolBytes: number,
  ): (Uint8Array | undefined)[] {
    this.solveCount++;
    if (unknownCount > 64) throw new RangeError('more than 64 unknowns');
    const rows: number[][] = [];
    for (const block of blocks) {
      const k = block.symbols.length;
      block.rows.forEach((row, at) => {
        const known = this.#row(k, row, block.symbols, symbolBytes);
        const repair = block.repair[at] as Uint8Array;
        const line: number[] = new Array(unknownCount).fill(0);
        block.symbols.forEach((symbol, j) => {
          if (symbol === undefined) line[block.unknowns[j] as number] = coefficient(k, row, j);
        });
        for (let i = 0; i < symbolBytes; i++) line.push((known[i] as number) ^ (repair[i] ?? 0));
        rows.push(line);
      });
    }
    const solved: (Uint8Array | undefined)[] = new Array(unknownCount).fill(undefined);
    reduce(rows, unknownCount).forEach((column, i) => {
      const row = rows[i] as number[];
      const entries = row.slice(0, unknownCount).filter((value) => value !== 0).length;
      if (entries === 1) solved[column] = Uint8Array.from(row.slice(unknownCount));
    });
    return solved;
  }
}
