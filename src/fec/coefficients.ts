/**
 * The generator matrix, without payload. Coefficient of source symbol j in repair symbol `row` of a block of k source
 * symbols: the product over m != j, m < k of ((k + row) xor m) / (j xor m). It depends on nothing else, least of all on how
 * many repair symbols there are.
 * Source: docs/wire-format.md §4; the systematic Vandermonde matrix of Backblaze and klauspost in closed form.
 */
import { divide, multiply } from './gf256.ts';

/**
 * Shape [255][256], rows made when first needed: entry [x][k] is the product of x xor m over every m < k but x itself.
 * With it a coefficient takes two products and a quotient; from the formula, k products for each symbol that is missing.
 */
const productRows: (Uint8Array | undefined)[] = new Array(255).fill(undefined);

function productsOf(x: number): Uint8Array {
  const known = productRows[x];
  if (known !== undefined) return known;
  const row = new Uint8Array(256).fill(1);
  for (let k = 1; k < 256; k++) row[k] = multiply(row[k - 1] as number, k - 1 === x ? 1 : x ^ (k - 1));
  productRows[x] = row;
  return row;
}

/**
 * One coefficient.
 *
 * @returns 1..255: no repair symbol ignores a source symbol. Cost: O(1).
 */
export function coefficient(k: number, row: number, j: number): number {
  const x = k + row;
  return divide(productsOf(x)[k] as number, multiply(x ^ j, productsOf(j)[k] as number));
}

/**
 * Coefficients of chosen source symbols in one generator row.
 *
 * @param k Source symbols of the block, 1..254.
 * @param row Generator row, 0..254-k.
 * @param positions Shape [count]: which source symbols, each 0..k-1.
 * @param out Shape [count]: their coefficients, never zero.
 * Cost: O(count); nothing is allocated once the tables are made.
 */
export function rowCoefficients(
  k: number,
  row: number,
  positions: Uint8Array,
  count: number,
  out: Uint8Array,
): void {
  for (let i = 0; i < count; i++) out[i] = coefficient(k, row, positions[i] as number);
}
