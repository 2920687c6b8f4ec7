/**
 * Which sums of four symbols each row of the matrix adds for each bit of its coefficients. Writing a coefficient as a sum
 * of bits times powers of x turns a row into eight sums of plain symbols, joined by Horner's rule; and the 16 sums of
 * four symbols are made once for all rows, so one addition does the work of four.
 * Source: the method of four Russians (Arlazarov, Dinic, Kronrod, Faradzev 1970).
 */
import { MATRIX, OFFSETS, SPREAD } from './layout';

/** Groups of four symbols in one pass: their subsets are 32 KiB, what a small L1 cache holds. */
export const PASS_GROUPS_MAX: u32 = 32;

/**
 * Fills OFFSETS for `symbols` columns of the matrix from `first` on: per row and group, eight 16-bit offsets into SUBSETS.
 *
 * @param shift Logarithm of the bytes of one subset at one column.
 */
export function chooseSubsets(k: u32, r: u32, first: u32, symbols: u32, shift: u64): void {
  let out = OFFSETS;
  for (let row: u32 = 0; row < r; row++) {
    const coefficients = MATRIX + row * k + first;
    for (let group: u32 = 0; group < symbols; group += 4) {
      const members = min<u32>(4, symbols - group);
      // Lanes never carry: 32 groups x 16 subsets x 64 bytes is 2^15.
      const base = (((<u64>group) << 2) << shift) * 0x0001000100010001;
      let upper: u64 = 0;
      let lower: u64 = 0;
      for (let member: u32 = 0; member < members; member++) {
        const spread = SPREAD + ((<usize>load<u8>(coefficients + group + member)) << 4);
        upper |= load<u64>(spread) << member;
        lower |= load<u64>(spread, 8) << member;
      }
      store<u64>(out, base + (upper << shift));
      store<u64>(out, base + (lower << shift), 8);
      out += 16;
    }
  }
}
