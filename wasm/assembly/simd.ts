/** The builds with SIMD, strict and relaxed: what the loader calls. */
import { multiplyByLookup } from './product';
import { multiplyBySums } from './sums-simd';

export { buildMatrix, buildRepairMatrix, setUp } from './field';
export {
  DETERMINED,
  EQUATIONS,
  MATRIX,
  MISSING,
  NEEDED,
  POINTS,
  RESULTS,
  RING,
  RING_SLOTS,
  SLOT_BYTES,
  SUBSTITUTES,
  SYMBOLS,
  TARGETS,
  UNKNOWNS,
} from './layout';
export { closeSystem, offerEquation, openSystem } from './system';

/**
 * Where sums of subsets begin to pay: they cost a row as much as LOOKUPS_PER_ROW lookups and a symbol as much as
 * LOOKUPS_PER_SYMBOL, and save part of every coefficient; relaxed lookups leave less to save. Measured on x86 (V8 11).
 */
const LOOKUPS_PER_ROW: u32 = ASC_FEATURE_RELAXED_SIMD ? 38 : 12;
const LOOKUPS_PER_SYMBOL: u32 = ASC_FEATURE_RELAXED_SIMD ? 8 : 3;

/**
 * Writes MATRIX (`r` rows of `k`) times the symbols at `source` to the slots at `target`, by the faster way.
 *
 * @param length Bytes of a symbol; up to 63 more are read and written, inside the slot.
 * @param accumulate Not 0: adds to what the target holds.
 */
export function multiply(k: u32, r: u32, source: usize, target: usize, length: u32, accumulate: u32): void {
  if (k * r > LOOKUPS_PER_ROW * r + LOOKUPS_PER_SYMBOL * k) {
    multiplyBySums(k, r, source, target, length, accumulate);
  } else {
    multiplyByLookup(k, r, source, target, length, accumulate);
  }
}
