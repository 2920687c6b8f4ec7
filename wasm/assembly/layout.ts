/**
 * The memory map: one fixed memory that never grows, so every view of it stays valid. README.md has the picture.
 * The exported addresses are exports of the module too: the loader reads them there and repeats none of them.
 */

/** Product tables, 256 coefficients x 32 bytes: c * 0..15, then c * 0x00, 0x10 .. 0xf0. 8 KiB: they live in L1. */
export const NIBBLES: usize = 0x00000;
/** Powers of the generator, 768 bytes: an exponent may be the sum of three logarithms. */
export const EXP: usize = 0x02000;
/** Logarithms, 256 bytes; LOG[0] is 0, so that the factor of a point by itself drops out of every product. */
export const LOG: usize = 0x02400;

/** Evaluation points the matrix maps to (rows), one byte each. */
export const TARGETS: usize = 0x02500;
/** Evaluation points the matrix maps from (columns). */
export const POINTS: usize = 0x02600;
/** Missing source symbols of the block in hand. */
export const MISSING: usize = 0x02700;
/** Evaluation points of the repair symbols that stand in for the missing ones. */
export const SUBSTITUTES: usize = 0x02800;
/** The unknown of each entry of MISSING. */
export const UNKNOWNS: usize = 0x02900;
/** Logarithms of the Lagrange weights of TARGETS and POINTS. */
export const TARGET_WEIGHTS: usize = 0x02a00;
export const POINT_WEIGHTS: usize = 0x02b00;
/** The pivot column of each row of SYSTEM. */
export const PIVOTS: usize = 0x02c00;
/** Unknowns the system determines, in the order of their rows in MATRIX. */
export const DETERMINED: usize = 0x02d00;
/** 1 for each equation that a determined unknown needs. */
export const NEEDED: usize = 0x02e00;

/** 16 bytes of 0x0f. */
export const LOW_NIBBLES: usize = 0x02f00;
/** 64 bytes that stay 0: what a sum starts from unless it accumulates. */
export const ZEROES: usize = 0x02f40;
/** A byte's bits as eight 16-bit lanes of 0 or 1, highest bit first; 256 x 16 bytes. */
export const SPREAD: usize = 0x03000;
/** The joint system: 64 rows and a candidate, each 64 coefficients and 64 bytes that say which equations it sums. */
export const SYSTEM: usize = 0x04000;
/** Coefficients, row by row: r x k <= 127 x 128, or 64 x 64. */
export const MATRIX: usize = 0x08000;
/** WEIGHTS[k][x]: logarithm of prod over q < k, q != x of (x xor q); 255 x 256 bytes. */
export const WEIGHTS: usize = 0x10000;
/** Sums of every subset of four symbols, at one column: 32 groups x 16 subsets x 64 bytes. */
export const SUBSETS: usize = 0x20000;
/** Which subset each row adds for each bit: eight offsets of 16 bits for each of at most 4160 rows x groups. */
export const OFFSETS: usize = 0x28000;

/**
 * Bytes from one symbol slot to the next: 1472 rounded up to whole columns, and an odd number of 64-byte lines, so that
 * one column of many symbols spreads over all sets of the cache.
 */
export const SLOT_BYTES: usize = 1600;
/** Symbols multiplied by the matrix, at most 255. */
export const SYMBOLS: usize = 0x40000;
/** Right-hand sides of the joint system, 64. */
export const EQUATIONS: usize = SYMBOLS + 255 * SLOT_BYTES;
/** Rebuilt symbols, at most 128. */
export const RESULTS: usize = EQUATIONS + 64 * SLOT_BYTES;
/** Repair symbols, in the order they were made. */
export const RING: usize = RESULTS + 128 * SLOT_BYTES;
export const RING_SLOTS: usize = 512;
