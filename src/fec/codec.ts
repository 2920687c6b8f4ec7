/**
 * The erasure code behind an interface: systematic Reed-Solomon over GF(2^8), polynomial 0x11D, generator matrix of
 * Backblaze, klauspost/reedsolomon and the Rust crate reed-solomon-erasure. Parity row i depends only on (k, i), so
 * more parity of a block can be made later. The WebAssembly kernel and the TypeScript reference both implement it.
 * Source: RFC 5510 §8 (Vandermonde form); coefficient of symbol j in row i = prod over m != j, m < k of
 * ((k + i) xor m) / (j xor m) in GF(2^8).
 */

/** k + r of one block: evaluation points 0..254 of GF(2^8). */
export const BLOCK_SYMBOLS_MAX = 255;
/** The largest symbol: a 1500-byte IP packet less IPv4 and UDP headers. */
export const SYMBOL_BYTES_MAX = 1472;
/** Unknowns of one joint system (DESIGN D6). */
export const UNKNOWNS_MAX = 64;

/** The repair symbols of one block that touch missing source symbols: the rows of a joint system. */
export interface RepairEquations {
  /** Shape [k]: the block's source symbols in order, each of at most `symbolBytes`; undefined = missing. */
  readonly symbols: readonly (Uint8Array | undefined)[];
  /** Shape [k]: for each missing source symbol its unknown, 0..unknownCount-1; ignored where present. */
  readonly unknowns: readonly number[];
  /** Generator rows of the repair symbols at hand, each 0..254-k. */
  readonly rows: readonly number[];
  /** Shape [rows.length]: the repair symbols themselves. */
  readonly repair: readonly Uint8Array[];
}

export interface ErasureCodec {
  /** Which build this is; the bytes are the same from all. */
  readonly engine: 'relaxed' | 'strict' | 'scalar' | 'typescript';

  /**
   * Makes repair symbols `firstRow .. firstRow + r - 1` of one block.
   *
   * @param symbols Shape [k], each of at most `symbolBytes` bytes; shorter ones count as zero-padded.
   * @returns Shape [r], each `symbolBytes` long: views owned by the codec, valid until 512 more repair symbols have
   * been made. Copy what must live longer.
   * @throws TypeError, RangeError unless 1 <= k, r >= 1, firstRow >= 0, k + firstRow + r <= 255 and
   * 1 <= symbolBytes <= 1472. Cost: O(k * r * symbolBytes).
   */
  encode(
    k: number,
    r: number,
    symbols: readonly Uint8Array[],
    symbolBytes: number,
    firstRow?: number,
  ): readonly Uint8Array[];

  /**
   * Rebuilds the missing source symbols of one block from any k symbols of it.
   *
   * @param symbols Shape [k]: source symbols; undefined = missing. Filled in place with fresh arrays, each
   * `symbolBytes` long.
   * @param rows Generator rows of `repair`; a row that is out of range or repeated is dropped and counted.
   * @returns How many were rebuilt (0 if none was missing); null if too few symbols are present.
   * @throws TypeError, RangeError for a caller's mistake, as in `encode`.
   */
  decode(
    k: number,
    symbols: (Uint8Array | undefined)[],
    rows: readonly number[],
    repair: readonly Uint8Array[],
    symbolBytes: number,
  ): number | null;

  /**
   * Solves one linear system over the repair symbols of several, possibly overlapping, blocks.
   *
   * @param unknownCount Missing source symbols in all, at most 64.
   * @param symbolBytes The largest symbol of any block; shorter ones count as zero-padded.
   * @returns Shape [unknownCount]: a fresh array of `symbolBytes` per unknown that the system determines, undefined
   * for the others.
   * Source: Gauss-Jordan elimination; a unit row of the reduced form is a determined unknown.
   */
  solve(
    unknownCount: number,
    blocks: readonly RepairEquations[],
    symbolBytes: number,
  ): (Uint8Array | undefined)[];

  /** Wrong rows (out of range, repeated) dropped so far. */
  readonly droppedRows: number;
}
