/**
 * Random variates and roots made of + - * / and sqrt only. `Math.log`, `Math.pow`, `Math.cos` and their like may
 * differ in the last bit between engine versions, and one bit changes a trace hash; IEEE 754 fixes these exactly.
 */
import type { Random } from '../base/random.ts';

/** Natural logarithm of a positive finite number, relative error below 1e-14. */
export function naturalLog(value: number): number {
  let mantissa = value;
  let exponent = 0;
  while (mantissa > 1.5) {
    mantissa /= 2;
    exponent++;
  }
  while (mantissa < 0.75) {
    mantissa *= 2;
    exponent--;
  }
  // ln m = 2 atanh(z), |z| <= 0.2: eleven odd terms leave less than 1e-16.
  const z = (mantissa - 1) / (mantissa + 1);
  const square = z * z;
  let sum = 0;
  for (let power = 21; power >= 1; power -= 2) sum = sum * square + 1 / power;
  return exponent * Math.LN2 + 2 * z * sum;
}

/** Cube root of a number >= 0, to the last bits (Newton). */
export function cubeRoot(value: number): number {
  if (value <= 0) return 0;
  let root = 1;
  while (root * root * root < value) root *= 2;
  while (root * root * root > 8 * value) root /= 2;
  for (let i = 0; i < 8; i++) root -= (root - value / (root * root)) / 3;
  return root;
}

/** An exponentially distributed number with the given mean. */
export function exponential(random: Random, mean: number): number {
  return -mean * naturalLog(1 - random.unit());
}

/** A standard normal number. Source: Marsaglia's polar method (one of the two variates is thrown away). */
export function standardNormal(random: Random): number {
  while (true) {
    const u = 2 * random.unit() - 1;
    const v = 2 * random.unit() - 1;
    const square = u * u + v * v;
    if (square > 0 && square < 1) return u * Math.sqrt((-2 * naturalLog(square)) / square);
  }
}
