/**
 * GF(2^8) with polynomial 0x11D: the tables, and the coefficients of any block by logarithms.
 * Every coefficient is a Lagrange weight: with W(x) = prod over q in P, q != x of (x xor q) for the points P of the k
 * symbols at hand, the symbol at t is the sum over p in P of W(t) / (W(p) * (t xor p)) times the symbol at p. Encoding
 * and decoding differ only in P: no matrix is ever inverted.
 * Source: RFC 5510 §8 (the code); Lagrange interpolation (the closed form).
 */
import {
  EXP,
  LOG,
  LOW_NIBBLES,
  MATRIX,
  MISSING,
  NIBBLES,
  POINT_WEIGHTS,
  POINTS,
  SPREAD,
  SUBSTITUTES,
  TARGET_WEIGHTS,
  TARGETS,
  WEIGHTS,
} from './layout';

const POLYNOMIAL: u32 = 0x11d;

/** Fills every table. To be called once, before anything else. */
export function setUp(): void {
  setUpLogarithms();
  setUpProducts();
  for (let lane: usize = 0; lane < 16; lane++) store<u8>(LOW_NIBBLES + lane, 15);
  for (let byte: u32 = 0; byte < 256; byte++) {
    for (let lane: u32 = 0; lane < 8; lane++) {
      store<u16>(SPREAD + (byte << 4) + (lane << 1), <u16>((byte >> (7 - lane)) & 1));
    }
  }
  for (let k: u32 = 0; k < 254; k++) {
    const row = WEIGHTS + (k << 8);
    for (let x: u32 = 0; x < 255; x++) {
      const sum = <u32>load<u8>(row + x) + <u32>load<u8>(LOG + (x ^ k));
      store<u8>(row + 256 + x, <u8>(sum >= 255 ? sum - 255 : sum));
    }
  }
}

function setUpLogarithms(): void {
  let power: u32 = 1;
  for (let exponent: u32 = 0; exponent < 255; exponent++) {
    store<u8>(EXP + exponent, <u8>power);
    store<u8>(EXP + exponent + 255, <u8>power);
    store<u8>(EXP + exponent + 510, <u8>power);
    store<u8>(LOG + power, <u8>exponent);
    power <<= 1;
    if (power & 256) power ^= POLYNOMIAL;
  }
}

function setUpProducts(): void {
  for (let c: u32 = 1; c < 256; c++) {
    for (let nibble: u32 = 1; nibble < 16; nibble++) {
      store<u8>(NIBBLES + (c << 5) + nibble, multiply(c, nibble));
      store<u8>(NIBBLES + (c << 5) + 16 + nibble, multiply(c, nibble << 4));
    }
  }
}

/** Product of two bytes, neither of them 0. */
function multiply(a: u32, b: u32): u8 {
  return load<u8>(EXP + load<u8>(LOG + a) + load<u8>(LOG + b));
}

/** Inverse of a byte other than 0. */
export function invert(a: u32): u32 {
  return load<u8>(EXP + 255 - load<u8>(LOG + a));
}

/**
 * Coefficient of symbol `j` in the repair symbol at point `x` of a block of `k` symbols.
 * Cost: four loads; the products over k factors are in WEIGHTS.
 */
export function coefficientAt(k: u32, x: u32, j: u32): u32 {
  const row = WEIGHTS + (k << 8);
  const exponent = 510 + <u32>load<u8>(row + x) - <u32>load<u8>(row + j) - <u32>load<u8>(LOG + (x ^ j));
  return load<u8>(EXP + exponent);
}

/**
 * Fills MATRIX with `targets` rows of `points` coefficients: the symbols at TARGETS from those at POINTS, in a block of
 * `k` symbols in which the first `missing` of MISSING are replaced by those of SUBSTITUTES.
 */
export function buildMatrix(k: u32, targets: u32, points: u32, missing: u32): void {
  weigh(TARGETS, TARGET_WEIGHTS, targets, k, missing);
  weigh(POINTS, POINT_WEIGHTS, points, k, missing);
  let out = MATRIX;
  for (let t: u32 = 0; t < targets; t++) {
    const target = <u32>load<u8>(TARGETS + t);
    const weight = EXP + 510 + <u32>load<u8>(TARGET_WEIGHTS + t);
    for (let p: u32 = 0; p < points; p++) {
      const difference = target ^ <u32>load<u8>(POINTS + p);
      const divisor = <u32>load<u8>(POINT_WEIGHTS + p) + <u32>load<u8>(LOG + difference);
      store<u8>(out, load<u8>(weight - divisor));
      out++;
    }
  }
}

/** Fills MATRIX with `rows` rows of a block of `k`, from `firstRow` on: repair symbols from all source symbols. */
export function buildRepairMatrix(k: u32, firstRow: u32, rows: u32): void {
  for (let j: u32 = 0; j < k; j++) store<u8>(POINTS + j, <u8>j);
  for (let i: u32 = 0; i < rows; i++) store<u8>(TARGETS + i, <u8>(k + firstRow + i));
  buildMatrix(k, rows, k, 0);
}

/** Logarithms of W(x) for each of `count` points: the block's own product, less the missing, plus the substitutes. */
function weigh(list: usize, out: usize, count: u32, k: u32, missing: u32): void {
  const row = WEIGHTS + (k << 8);
  for (let i: u32 = 0; i < count; i++) {
    const x = <u32>load<u8>(list + i);
    let sum = <u32>load<u8>(row + x);
    for (let m: u32 = 0; m < missing; m++) {
      sum += 255 - <u32>load<u8>(LOG + (x ^ <u32>load<u8>(MISSING + m)));
      sum += <u32>load<u8>(LOG + (x ^ <u32>load<u8>(SUBSTITUTES + m)));
    }
    store<u8>(out + i, <u8>(sum % 255));
  }
}
