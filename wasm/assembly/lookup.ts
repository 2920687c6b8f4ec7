/**
 * Sixteen table lookups at once: `table[index]` per lane, every index 0..15. With such indexes the relaxed instruction is
 * deterministic too, and it saves the strict one's clamping on x86.
 */
export function lookup(table: v128, index: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i8x16.relaxed_swizzle(table, index) : i8x16.swizzle(table, index);
}
