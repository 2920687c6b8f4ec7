/**
 * Arithmetic in GF(2^8) = GF(2)[x] / (x^8 + x^4 + x^3 + x^2 + 1), as plainly as it can be written: the reference that the
 * kernel in wasm/ is held to. Source: RFC 5510 §8.1.
 */

/** Bits of the field's polynomial. */
const FIELD_POLYNOMIAL = 0x11d;

/** Shape [510]: powers of x, twice over, so that the sum of two logarithms needs no reduction. */
const EXP: Uint8Array = new Uint8Array(510);
/** Shape [256]: logarithms to base x; that of 0 is not defined and never read. */
const LOG: Uint8Array = new Uint8Array(256);

let power = 1;
for (let exponent = 0; exponent < 255; exponent++) {
  EXP[exponent] = power;
  EXP[exponent + 255] = power;
  LOG[power] = exponent;
  power <<= 1;
  if (power > 255) power ^= FIELD_POLYNOMIAL;
}

/** Product of two bytes. */
export function multiply(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  return EXP[(LOG[a] as number) + (LOG[b] as number)] as number;
}

/** Quotient of two bytes, the second not 0. */
export function divide(a: number, b: number): number {
  if (a === 0) return 0;
  return EXP[(LOG[a] as number) + 255 - (LOG[b] as number)] as number;
}

/** Shape [256][256], rows made when first needed: the products of a factor with every byte. */
const productRows: (Uint8Array | undefined)[] = new Array(256).fill(undefined);

function productsOf(factor: number): Uint8Array {
  const known = productRows[factor];
  if (known !== undefined) return known;
  const row = Uint8Array.from({ length: 256 }, (_, byte) => multiply(factor, byte));
  productRows[factor] = row;
  return row;
}

/**
 * Adds `factor` times `source` to `target` in place, over the length of `source`.
 *
 * @param target At least as long as `source`.
 */
export function addScaled(target: Uint8Array, source: Uint8Array, factor: number): void {
  if (factor === 0) return;
  const products = productsOf(factor);
  for (let i = 0; i < source.length; i++) {
    target[i] = (target[i] as number) ^ (products[source[i] as number] as number);
  }
}

/**
 * `target ^= factor * source` over `length` elements of both, from their offsets on; no views are made.
 *
 * @returns How many of those elements of `target` are not 0 now.
 */
export function addScaledRow(
  target: Uint8Array,
  targetAt: number,
  source: Uint8Array,
  sourceAt: number,
  factor: number,
  length: number,
): number {
  const products = productsOf(factor);
  let entries = 0;
  for (let i = 0; i < length; i++) {
    const value = (target[targetAt + i] as number) ^ (products[source[sourceAt + i] as number] as number);
    target[targetAt + i] = value;
    if (value !== 0) entries++;
  }
  return entries;
}
