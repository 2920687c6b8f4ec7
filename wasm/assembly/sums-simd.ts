/** Matrix times symbols by sums of subsets, with 128-bit lanes: faster than lookups where many rows share the sums. */
import { OFFSETS, SLOT_BYTES, SUBSETS, ZEROES } from './layout';
import { chooseSubsets, PASS_GROUPS_MAX } from './subsets';

/** One column is 64 bytes: 2^6. */
const COLUMN_BYTES: u32 = 64;
const COLUMN_SHIFT: u64 = 6;
const GROUP_BYTES: usize = 1024;

/** As `multiplyByLookup`. */
export function multiplyBySums(
  k: u32,
  r: u32,
  source: usize,
  target: usize,
  length: u32,
  accumulate: u32,
): void {
  for (let first: u32 = 0; first < k; first += 4 * PASS_GROUPS_MAX) {
    const symbols = min<u32>(k - first, 4 * PASS_GROUPS_MAX);
    chooseSubsets(k, r, first, symbols, COLUMN_SHIFT);
    const groups = (symbols + 3) >> 2;
    const from = source + first * SLOT_BYTES;
    for (let column: u32 = 0; column < length; column += COLUMN_BYTES) {
      makeSubsets(groups, from + column);
      for (let row: u32 = 0; row < r; row += 2) {
        // An odd last row is summed twice and stored once.
        const next = row + 1 < r ? groups << 4 : 0;
        const to = target + row * SLOT_BYTES + column;
        sumRows(OFFSETS + row * (groups << 4), groups << 4, next, to, accumulate | first);
      }
    }
  }
}

/** The last group may reach past the last symbol: no row picks those sums. */
function makeSubsets(groups: u32, source: usize): void {
  let from = source;
  let to = SUBSETS;
  const end = SUBSETS + groups * GROUP_BYTES;
  for (; to < end; to += GROUP_BYTES) {
    for (let lane: usize = 0; lane < 64; lane += 16) makeGroup(from + lane, to + lane);
    from += 4 * SLOT_BYTES;
  }
}

function makeGroup(from: usize, to: usize): void {
  const a = v128.load(from);
  const b = v128.load(from, SLOT_BYTES);
  const c = v128.load(from, 2 * SLOT_BYTES);
  const d = v128.load(from, 3 * SLOT_BYTES);
  const ab = v128.xor(a, b);
  const cd = v128.xor(c, d);
  v128.store(to, i8x16.splat(0));
  v128.store(to, a, 1 * 64);
  v128.store(to, b, 2 * 64);
  v128.store(to, ab, 3 * 64);
  v128.store(to, c, 4 * 64);
  v128.store(to, v128.xor(a, c), 5 * 64);
  v128.store(to, v128.xor(b, c), 6 * 64);
  v128.store(to, v128.xor(ab, c), 7 * 64);
  v128.store(to, d, 8 * 64);
  v128.store(to, v128.xor(a, d), 9 * 64);
  v128.store(to, v128.xor(b, d), 10 * 64);
  v128.store(to, v128.xor(ab, d), 11 * 64);
  v128.store(to, cd, 12 * 64);
  v128.store(to, v128.xor(a, cd), 13 * 64);
  v128.store(to, v128.xor(b, cd), 14 * 64);
  v128.store(to, v128.xor(ab, cd), 15 * 64);
}

/** Sixteen bytes times x in GF(2^8). */
function double(value: v128): v128 {
  const carried = i8x16.gt_s(i8x16.splat(0), value);
  return v128.xor(i8x16.add(value, value), v128.and(carried, i8x16.splat(0x1d)));
}

/** One column of two rows; the second row's offsets are `next` bytes after the first's, 0 if there is none. */
function sumRows(offsets: usize, offsetBytes: u32, next: u32, to: usize, accumulate: u32): void {
  let sum00 = i8x16.splat(0);
  let sum01 = sum00;
  let sum02 = sum00;
  let sum03 = sum00;
  let sum10 = sum00;
  let sum11 = sum00;
  let sum12 = sum00;
  let sum13 = sum00;
  const end = offsets + offsetBytes;
  for (let bit: usize = 0; bit < 16; bit += 2) {
    sum00 = double(sum00);
    sum01 = double(sum01);
    sum02 = double(sum02);
    sum03 = double(sum03);
    sum10 = double(sum10);
    sum11 = double(sum11);
    sum12 = double(sum12);
    sum13 = double(sum13);
    for (let at = offsets + bit; at < end; at += 16) {
      let subset = <usize>load<u16>(at);
      sum00 = v128.xor(sum00, v128.load(subset, SUBSETS));
      sum01 = v128.xor(sum01, v128.load(subset, SUBSETS + 16));
      sum02 = v128.xor(sum02, v128.load(subset, SUBSETS + 32));
      sum03 = v128.xor(sum03, v128.load(subset, SUBSETS + 48));
      subset = <usize>load<u16>(at + next);
      sum10 = v128.xor(sum10, v128.load(subset, SUBSETS));
      sum11 = v128.xor(sum11, v128.load(subset, SUBSETS + 16));
      sum12 = v128.xor(sum12, v128.load(subset, SUBSETS + 32));
      sum13 = v128.xor(sum13, v128.load(subset, SUBSETS + 48));
    }
  }
  let held = accumulate ? to : ZEROES;
  v128.store(to, v128.xor(sum00, v128.load(held)));
  v128.store(to, v128.xor(sum01, v128.load(held, 16)), 16);
  v128.store(to, v128.xor(sum02, v128.load(held, 32)), 32);
  v128.store(to, v128.xor(sum03, v128.load(held, 48)), 48);
  if (next === 0) return;
  held = accumulate ? to + SLOT_BYTES : ZEROES;
  v128.store(to, v128.xor(sum10, v128.load(held)), SLOT_BYTES);
  v128.store(to, v128.xor(sum11, v128.load(held, 16)), SLOT_BYTES + 16);
  v128.store(to, v128.xor(sum12, v128.load(held, 32)), SLOT_BYTES + 32);
  v128.store(to, v128.xor(sum13, v128.load(held, 48)), SLOT_BYTES + 48);
}
