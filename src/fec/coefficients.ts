/**
 * Rows of the generator matrix without their payload, for the joint decoder's bookkeeping: it follows which missing
 * symbols a system determines before it touches a payload byte. Source: docs/wire-format.md §4.
 */
import { divide, multiply } from './gf256.ts';

/** `target ^= factor * source` over `length` elements of both, from their offsets on; no views are made. */
export function addScaledRow(
  target: Uint8Array,
  targetAt: number,
  source: Uint8Array,
  sourceAt: number,
  factor: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) {
    const product = multiply(factor, source[sourceAt + i] as number);
    target[targetAt + i] = (target[targetAt + i] as number) ^ product;
  }
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
  const point = k + row;
  let numerator = 1;
  for (let m = 0; m < k; m++) numerator = multiply(numerator, point ^ m);
  for (let i = 0; i < count; i++) {
    const j = positions[i] as number;
    let denominator = point ^ j;
    for (let m = 0; m < k; m++) if (m !== j) denominator = multiply(denominator, j ^ m);
    out[i] = divide(numerator, denominator);
  }
}
