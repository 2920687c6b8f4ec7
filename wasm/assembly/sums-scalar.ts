/** Matrix times symbols by sums of subsets, with 64-bit words: the build for engines without SIMD. */
import { OFFSETS, SLOT_BYTES, SUBSETS, ZEROES } from './layout';
import { double } from './row';
import { chooseSubsets, PASS_GROUPS_MAX } from './subsets';

/** One column is 32 bytes: 2^5. */
const COLUMN_BYTES: u32 = 32;
const COLUMN_SHIFT: u64 = 5;
const GROUP_BYTES: usize = 512;

/**
 * Writes MATRIX (`r` rows of `k`) times the symbols at `source` to the slots at `target`.
 *
 * @param length Bytes of a symbol; up to 31 more are read and written, inside the slot.
 * @param accumulate Not 0: adds to what the target holds.
 */
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
      for (let row: u32 = 0; row < r; row++) {
        const to = target + row * SLOT_BYTES + column;
        sumRow(OFFSETS + row * (groups << 4), groups << 4, to, accumulate | first);
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
    for (let lane: usize = 0; lane < 32; lane += 8) makeGroup(from + lane, to + lane);
    from += 4 * SLOT_BYTES;
  }
}

function makeGroup(from: usize, to: usize): void {
  const a = load<u64>(from);
  const b = load<u64>(from, SLOT_BYTES);
  const c = load<u64>(from, 2 * SLOT_BYTES);
  const d = load<u64>(from, 3 * SLOT_BYTES);
  store<u64>(to, 0);
  store<u64>(to, a, 1 * 32);
  store<u64>(to, b, 2 * 32);
  store<u64>(to, a ^ b, 3 * 32);
  store<u64>(to, c, 4 * 32);
  store<u64>(to, a ^ c, 5 * 32);
  store<u64>(to, b ^ c, 6 * 32);
  store<u64>(to, a ^ b ^ c, 7 * 32);
  store<u64>(to, d, 8 * 32);
  store<u64>(to, a ^ d, 9 * 32);
  store<u64>(to, b ^ d, 10 * 32);
  store<u64>(to, a ^ b ^ d, 11 * 32);
  store<u64>(to, c ^ d, 12 * 32);
  store<u64>(to, a ^ c ^ d, 13 * 32);
  store<u64>(to, b ^ c ^ d, 14 * 32);
  store<u64>(to, a ^ b ^ c ^ d, 15 * 32);
}

function sumRow(offsets: usize, offsetBytes: u32, to: usize, accumulate: u32): void {
  let sum0: u64 = 0;
  let sum1: u64 = 0;
  let sum2: u64 = 0;
  let sum3: u64 = 0;
  const end = offsets + offsetBytes;
  for (let bit: usize = 0; bit < 16; bit += 2) {
    sum0 = double(sum0);
    sum1 = double(sum1);
    sum2 = double(sum2);
    sum3 = double(sum3);
    for (let at = offsets + bit; at < end; at += 16) {
      const subset = <usize>load<u16>(at);
      sum0 ^= load<u64>(subset, SUBSETS);
      sum1 ^= load<u64>(subset, SUBSETS + 8);
      sum2 ^= load<u64>(subset, SUBSETS + 16);
      sum3 ^= load<u64>(subset, SUBSETS + 24);
    }
  }
  const held = accumulate ? to : ZEROES;
  store<u64>(to, sum0 ^ load<u64>(held));
  store<u64>(to, sum1 ^ load<u64>(held, 8), 8);
  store<u64>(to, sum2 ^ load<u64>(held, 16), 16);
  store<u64>(to, sum3 ^ load<u64>(held, 24), 24);
}
