/**
 * Makes the repair symbols of one block. In: the block's source symbols as they went (or will go) on the wire. Out:
 * repair symbols as long as the longest of them, ready for REPAIR frames. Source: DESIGN D6; RFC 5510 §8.
 */
import type { ErasureCodec } from './codec.ts';

/** One per connection is enough: it keeps nothing between blocks. */
export class BlockEncoder {
  readonly #codec: ErasureCodec;

  constructor(codec: ErasureCodec) {
    this.#codec = codec;
  }

  /**
   * Repair symbols `firstRow .. firstRow + rowCount - 1`. Row i depends only on the source symbols and i, so more of
   * them can be made later, when a loss is known.
   *
   * @param symbols Shape [k], 1..1472 bytes each; shorter ones count as zero-padded. Not kept.
   * @returns Shape [rowCount], each as long as the longest source symbol; fresh arrays that the caller owns.
   * @throws TypeError, RangeError unless 1 <= k, 1 <= rowCount and k + firstRow + rowCount <= 255.
   */
  encode(symbols: readonly Uint8Array[], firstRow: number, rowCount: number): Uint8Array[] {
    let symbolBytes = 0;
    for (let i = 0; i < symbols.length; i++) {
      const length = (symbols[i] as Uint8Array).length;
      if (length > symbolBytes) symbolBytes = length;
    }
    const views = this.#codec.encode(symbols.length, rowCount, symbols, symbolBytes, firstRow);
    const repair: Uint8Array[] = [];
    // Copied: the codec's views are reused after 512 more symbols, and a paced repair symbol can wait longer than that.
    for (let i = 0; i < rowCount; i++) repair.push((views[i] as Uint8Array).slice());
    return repair;
  }
}
