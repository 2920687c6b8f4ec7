/**
 * Matrix times symbols by nibble tables: each byte is two lookups of 16 lanes. Accumulators stay in registers while the
 * symbols of a block pass by: 2 rows x 3 columns, the most that 16 registers hold without spilling; 1 x 4 for a single
 * row. Source: Plank, Greenan, Miller, "Screaming fast Galois field arithmetic using Intel SIMD" (FAST 2013).
 */
import { LOW_NIBBLES, MATRIX, NIBBLES, SLOT_BYTES, ZEROES } from './layout';
import { lookup } from './lookup';

/**
 * Bytes of each symbol that all rows work through before the next, where a block is larger than a small L1 cache.
 * A multiple of both column widths, or the bytes where two stripes meet would accumulate twice.
 */
const STRIPE_BYTES: u32 = 192;
const CACHED_BYTES: u32 = 20_000;

/**
 * Writes MATRIX (`r` rows of `k`) times the symbols at `source` to the slots at `target`.
 *
 * @param length Bytes of a symbol; up to 63 more are read and written, inside the slot.
 * @param accumulate Not 0: adds to what the target holds.
 */
export function multiplyByLookup(
  k: u32,
  r: u32,
  source: usize,
  target: usize,
  length: u32,
  accumulate: u32,
): void {
  const stripe = k * length <= CACHED_BYTES ? length : STRIPE_BYTES;
  for (let at: u32 = 0; at < length; at += stripe) {
    const bytes = min<u32>(length - at, stripe);
    const from = source + at;
    let to = target + at;
    let coefficients = MATRIX;
    const paired = MATRIX + (r & ~1) * k;
    for (; coefficients < paired; coefficients += 2 * k) {
      pairOfRows(k, coefficients, from, to, bytes, accumulate);
      to += 2 * SLOT_BYTES;
    }
    if (r & 1) oneRow(k, coefficients, from, to, bytes, accumulate);
  }
}

function pairOfRows(
  k: u32,
  coefficients: usize,
  source: usize,
  target: usize,
  length: u32,
  accumulate: u32,
): void {
  // From memory: as a constant the compilers would make it anew in every turn of the loop.
  const mask = v128.load(LOW_NIBBLES);
  const end = coefficients + k;
  for (let column: u32 = 0; column < length; column += 48) {
    const to = target + column;
    let held = accumulate ? to : ZEROES;
    let sum00 = v128.load(held);
    let sum01 = v128.load(held, 16);
    let sum02 = v128.load(held, 32);
    held = accumulate ? to + SLOT_BYTES : ZEROES;
    let sum10 = v128.load(held);
    let sum11 = v128.load(held, 16);
    let sum12 = v128.load(held, 32);
    let from = source + column;
    for (let at = coefficients; at < end; at++) {
      const value0 = v128.load(from);
      const value1 = v128.load(from, 16);
      const value2 = v128.load(from, 32);
      const low0 = v128.and(value0, mask);
      const high0 = v128.and(i16x8.shr_u(value0, 4), mask);
      const low1 = v128.and(value1, mask);
      const high1 = v128.and(i16x8.shr_u(value1, 4), mask);
      const low2 = v128.and(value2, mask);
      const high2 = v128.and(i16x8.shr_u(value2, 4), mask);
      const products0 = (<usize>load<u8>(at)) << 5;
      const products1 = (<usize>load<u8>(at + k)) << 5;
      const low0Table = v128.load(products0, NIBBLES);
      sum00 = v128.xor(sum00, lookup(low0Table, low0));
      sum01 = v128.xor(sum01, lookup(low0Table, low1));
      sum02 = v128.xor(sum02, lookup(low0Table, low2));
      const high0Table = v128.load(products0, NIBBLES + 16);
      sum00 = v128.xor(sum00, lookup(high0Table, high0));
      sum01 = v128.xor(sum01, lookup(high0Table, high1));
      sum02 = v128.xor(sum02, lookup(high0Table, high2));
      const low1Table = v128.load(products1, NIBBLES);
      sum10 = v128.xor(sum10, lookup(low1Table, low0));
      sum11 = v128.xor(sum11, lookup(low1Table, low1));
      sum12 = v128.xor(sum12, lookup(low1Table, low2));
      const high1Table = v128.load(products1, NIBBLES + 16);
      sum10 = v128.xor(sum10, lookup(high1Table, high0));
      sum11 = v128.xor(sum11, lookup(high1Table, high1));
      sum12 = v128.xor(sum12, lookup(high1Table, high2));
      from += SLOT_BYTES;
    }
    v128.store(to, sum00);
    v128.store(to, sum01, 16);
    v128.store(to, sum02, 32);
    v128.store(to, sum10, SLOT_BYTES);
    v128.store(to, sum11, SLOT_BYTES + 16);
    v128.store(to, sum12, SLOT_BYTES + 32);
  }
}

function oneRow(
  k: u32,
  coefficients: usize,
  source: usize,
  target: usize,
  length: u32,
  accumulate: u32,
): void {
  // From memory: as a constant the compilers would make it anew in every turn of the loop.
  const mask = v128.load(LOW_NIBBLES);
  const end = coefficients + k;
  for (let column: u32 = 0; column < length; column += 64) {
    const to = target + column;
    const held = accumulate ? to : ZEROES;
    let sum0 = v128.load(held);
    let sum1 = v128.load(held, 16);
    let sum2 = v128.load(held, 32);
    let sum3 = v128.load(held, 48);
    let from = source + column;
    for (let at = coefficients; at < end; at++) {
      const products = (<usize>load<u8>(at)) << 5;
      const lowTable = v128.load(products, NIBBLES);
      const highTable = v128.load(products, NIBBLES + 16);
      let value = v128.load(from);
      sum0 = v128.xor(sum0, lookup(lowTable, v128.and(value, mask)));
      sum0 = v128.xor(sum0, lookup(highTable, v128.and(i16x8.shr_u(value, 4), mask)));
      value = v128.load(from, 16);
      sum1 = v128.xor(sum1, lookup(lowTable, v128.and(value, mask)));
      sum1 = v128.xor(sum1, lookup(highTable, v128.and(i16x8.shr_u(value, 4), mask)));
      value = v128.load(from, 32);
      sum2 = v128.xor(sum2, lookup(lowTable, v128.and(value, mask)));
      sum2 = v128.xor(sum2, lookup(highTable, v128.and(i16x8.shr_u(value, 4), mask)));
      value = v128.load(from, 48);
      sum3 = v128.xor(sum3, lookup(lowTable, v128.and(value, mask)));
      sum3 = v128.xor(sum3, lookup(highTable, v128.and(i16x8.shr_u(value, 4), mask)));
      from += SLOT_BYTES;
    }
    v128.store(to, sum0);
    v128.store(to, sum1, 16);
    v128.store(to, sum2, 32);
    v128.store(to, sum3, 48);
  }
}
