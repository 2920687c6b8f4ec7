/** The row operation of the elimination, on the widest lanes the build has. */
import { NIBBLES } from './layout';
import { lookup } from './lookup';

const ROW_BYTES: usize = 128;
/** 1 in each byte. */
const EACH_BYTE: u64 = u64.MAX_VALUE / 255;

/** Adds `factor` (not 0) times a row to another: 128 bytes. */
export function addScaledRow(target: usize, source: usize, factor: u32): void {
  if (ASC_FEATURE_SIMD) addScaledVectors(target, source, factor);
  else addScaledWords(target, source, factor);
}

function addScaledVectors(target: usize, source: usize, factor: u32): void {
  const low = v128.load(NIBBLES + (factor << 5));
  const high = v128.load(NIBBLES + (factor << 5), 16);
  const mask = i8x16.splat(15);
  for (let at: usize = 0; at < ROW_BYTES; at += 16) {
    const value = v128.load(source + at);
    const product = v128.xor(
      lookup(low, v128.and(value, mask)),
      lookup(high, v128.and(i16x8.shr_u(value, 4), mask)),
    );
    v128.store(target + at, v128.xor(v128.load(target + at), product));
  }
}

/** Horner's rule over the bits of the factor, eight bytes at a time. */
function addScaledWords(target: usize, source: usize, factor: u32): void {
  for (let at: usize = 0; at < ROW_BYTES; at += 8) {
    const value = load<u64>(source + at);
    let product: u64 = 0;
    for (let bit: u32 = 8; bit > 0; bit--) {
      product = double(product) ^ (value & (0 - ((<u64>factor >> (bit - 1)) & 1)));
    }
    store<u64>(target + at, load<u64>(target + at) ^ product);
  }
}

/** Eight bytes times x in GF(2^8). */
export function double(value: u64): u64 {
  const carried = (value >> 7) & EACH_BYTE;
  return ((value & (EACH_BYTE * 0x7f)) << 1) ^ (carried * 0x1d);
}
