/**
 * The joint system: equations are offered one at a time and kept in reduced row echelon form, each row beside the sum
 * of equations it stands for. Only independent equations are kept, so it never has more than 64.
 * Source: Gauss-Jordan elimination; a row with no coefficient but its pivot is a determined unknown.
 */
import { coefficientAt, invert } from './field';
import { DETERMINED, MATRIX, MISSING, NEEDED, PIVOTS, SYSTEM, UNKNOWNS } from './layout';
import { addScaledRow } from './row';

const ROW_BYTES: usize = 128;
const SUMS: usize = 64;
const CANDIDATE: usize = SYSTEM + 64 * ROW_BYTES;

let unknownCount: u32 = 0;
let rank: u32 = 0;

function clearRow(row: usize): void {
  for (let at: usize = 0; at < ROW_BYTES; at += 8) store<u64>(row + at, 0);
}

/** Forgets the last system and opens one of `count` unknowns, at most 64. */
export function openSystem(count: u32): void {
  unknownCount = count;
  rank = 0;
}

/**
 * Offers the equation of one repair symbol: the one at point `x` of a block of `k`, of which the first `missing`
 * entries of MISSING are the unknowns in UNKNOWNS.
 *
 * @returns 1 if it was kept, as the next equation; 0 if those before it imply it.
 */
export function offerEquation(k: u32, x: u32, missing: u32): u32 {
  clearRow(CANDIDATE);
  for (let m: u32 = 0; m < missing; m++) {
    const unknown = <usize>load<u8>(UNKNOWNS + m);
    store<u8>(CANDIDATE + unknown, <u8>coefficientAt(k, x, <u32>load<u8>(MISSING + m)));
  }
  store<u8>(CANDIDATE + SUMS + rank, 1);
  for (let r: u32 = 0; r < rank; r++) {
    const factor = <u32>load<u8>(CANDIDATE + load<u8>(PIVOTS + r));
    if (factor) addScaledRow(CANDIDATE, SYSTEM + r * ROW_BYTES, factor);
  }
  let pivot: u32 = 0;
  while (pivot < unknownCount && !load<u8>(CANDIDATE + pivot)) pivot++;
  if (pivot === unknownCount) return 0;
  const row = SYSTEM + rank * ROW_BYTES;
  clearRow(row);
  addScaledRow(row, CANDIDATE, invert(<u32>load<u8>(CANDIDATE + pivot)));
  for (let r: u32 = 0; r < rank; r++) {
    const above = SYSTEM + r * ROW_BYTES;
    const factor = <u32>load<u8>(above + pivot);
    if (factor) addScaledRow(above, row, factor);
  }
  store<u8>(PIVOTS + rank, <u8>pivot);
  rank++;
  return 1;
}

/**
 * Reads the solution: DETERMINED, in MATRIX one row of `rank` factors per determined unknown, and NEEDED.
 *
 * @returns How many unknowns are determined.
 */
export function closeSystem(): u32 {
  let count: u32 = 0;
  for (let e: u32 = 0; e < rank; e++) store<u8>(NEEDED + e, 0);
  for (let r: u32 = 0; r < rank; r++) {
    const row = SYSTEM + r * ROW_BYTES;
    let terms: u32 = 0;
    for (let u: u32 = 0; u < unknownCount; u++) if (load<u8>(row + u)) terms++;
    if (terms !== 1) continue;
    for (let e: u32 = 0; e < rank; e++) {
      const factor = load<u8>(row + SUMS + e);
      store<u8>(MATRIX + count * rank + e, factor);
      if (factor) store<u8>(NEEDED + e, 1);
    }
    store<u8>(DETERMINED + count, load<u8>(PIVOTS + r));
    count++;
  }
  return count;
}
