/** The build without SIMD: what the loader calls. */
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
export { multiplyBySums as multiply } from './sums-scalar';
export { closeSystem, offerEquation, openSystem } from './system';
