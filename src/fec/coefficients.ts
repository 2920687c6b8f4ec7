/**
 * The generator matrix, without payload. Coefficient of source symbol j in repair symbol `row` of a block of k source
 * symbols: the product over m != j, m < k of ((k + row) xor m) / (j xor m). It depends on nothing else, least of all on how
 * many repair symbols there are.
 * Source: docs/wire-format.md §4; the systematic Vandermonde matrix of Backblaze and klauspost in closed form.
 */
import { divide, multiply } from './gf256.ts';

/** Product over every m < k: common to a row. */
function rowProduct(k: number, row: number): number {
  let product = 1;
  for (let m = 0; m < k; m++) product = multiply(product, (k + row) ^ m);
  return product;
}

/** What the product of a row is divided by for source symbol `j`. */
function divisor(k: number, row: number, j: number): number {
  let product = (k + row) ^ j;
  for (let m = 0; m < k; m++) if (m !== j) product = multiply(product, j ^ m);
  return product;
}

/**
 * One coefficient.
 *
 * @returns 1..255: no repair symbol ignores a source symbol. Cost: O(k).
 */
export function coefficient(k: number, row: number, j: number): number {
  return divide(rowProduct(k, row), divisor(k, row, j));
}

/**
 * Coefficients of chosen source symbols in one generator row.
 *
 * @param k Source symbols of the block, 1..254.
 * @param row Generator row, 0..254-k.
 * @param positions Shape [count]: which source symbols, each 0..k-1.
 * @param out Shape [count]: their coefficients, never zero.
 * Cost: O(k) once and O(k) per position; no allocation.
 */
export function rowCoefficients(
  k: number,
  row: number,
  positions: Uint8Array,
  count: number,
  out: Uint8Array,
): void {
  const product = rowProduct(k, row);
  for (let i = 0; i < count; i++) out[i] = divide(product, divisor(k, row, positions[i] as number));
}
