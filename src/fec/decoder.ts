/**
 * The joint decoder of one track (DESIGN D6). In: source symbols and repair symbols as they arrive, in any order,
 * duplicates included. Out: source symbols that were missing and are now known. The repair symbols of all live blocks
 * that touch a missing symbol form connected systems of at most 64 unknowns. Bookkeeping follows coefficients only;
 * payload bytes are touched when a system determines a symbol, never before. Memory is bounded whatever the peer says.
 */
import { BLOCK_SPAN_MAX } from '../wire/symbol.ts';
import { BLOCK_SYMBOLS_MAX, type ErasureCodec, SYMBOL_BYTES_MAX } from './codec.ts';
import { JointSystems } from './joint-systems.ts';
import { type LiveBlock, remove } from './repair-system.ts';
import { solveSystem } from './solve-system.ts';
import { SymbolWindow } from './symbol-window.ts';

/** Why a symbol was not taken. Everything but OK is the peer's doing, or the network's; nothing is kept of it. */
export const RepairReason = {
  /** Taken, or not needed: nothing is missing, or it is there already. */
  OK: 0,
  /** k, row, stride, id or length outside what the wire format allows. */
  MALFORMED: 1,
  /** It begins before what is still remembered, or ends before what is still wanted. */
  TOO_OLD: 2,
  /** It spans or reaches too far ahead of the newest symbol. */
  TOO_FAR: 3,
  /** Its length differs from that of other repair symbols of its block. */
  INCONSISTENT: 4,
} as const;

/** Bounds of what one decoder keeps. */
export interface DecoderLimits {
  /** Symbol ids remembered; a power of two of at least 64. */
  readonly symbolsMax: number;
  /** Memory of source symbols remembered, with the datagrams that they are views of. */
  readonly symbolBytesMax: number;
  /** Repair symbols kept. */
  readonly repairMax: number;
}

/** 8 MiB and about 0.7 MiB: two seconds of 25 Mbit/s. */
export const DECODER_LIMITS: DecoderLimits = {
  symbolsMax: BLOCK_SPAN_MAX,
  symbolBytesMax: 8_388_608,
  repairMax: 512,
};

/** Blocks that wait because their system would exceed 64 unknowns; each is looked at again, so there are few. */
const WAITING_BLOCKS_MAX = 32;
/** Symbols kept behind the wanted ones until a block shows that more are useful: later blocks may overlap them. */
const HISTORY_FIRST = 256;

export class BlockDecoder {
  /** Source symbols rebuilt so far. */
  rebuiltCount = 0;
  /** Repair symbols that were not needed, or told nothing new. */
  unusedCount = 0;
  /** Repair symbols given up for want of room, or because they came to be too old. */
  droppedCount = 0;

  readonly #codec: ErasureCodec;
  readonly #limits: DecoderLimits;
  readonly #window: SymbolWindow;
  /** Oldest first. */
  readonly #blocks: LiveBlock[] = [];
  readonly #systems: JointSystems;
  readonly #rebuiltIds: number[] = [];
  readonly #rebuiltBytes: Uint8Array[] = [];
  #repairCount = 0;
  /** Nothing below it is wanted any more. */
  #floor = 0;
  #historySymbols = HISTORY_FIRST;
  #oldestFirst = Number.POSITIVE_INFINITY;
  /** No block can go before the floor has passed this. */
  #oldestLast = Number.POSITIVE_INFINITY;

  constructor(codec: ErasureCodec, limits: DecoderLimits = DECODER_LIMITS) {
    if (limits.symbolsMax < 64 || (limits.symbolsMax & (limits.symbolsMax - 1)) !== 0) {
      throw new RangeError('symbolsMax must be a power of two of at least 64');
    }
    this.#codec = codec;
    this.#limits = limits;
    this.#window = new SymbolWindow(limits.symbolsMax);
    this.#systems = new JointSystems(this.#window);
  }

  /** Memory that the source symbols at hand keep alive. */
  get heldBytes(): number {
    return this.#window.heldBytes;
  }

  /** Repair symbols at hand. */
  get repairCount(): number {
    return this.#repairCount;
  }

  /** True when nothing that could rebuild a symbol is at hand. */
  get isIdle(): boolean {
    return this.#blocks.length === 0;
  }

  /** Row operations of elimination so far, each over at most 64 bytes. */
  get rowOperations(): number {
    return this.#systems.rowOperations;
  }

  /**
   * Takes one source symbol, first copy or resend. O(1) unless a block at hand touches it.
   *
   * @param bytes Kept as a view: the caller must not reuse, change or detach the memory.
   * @returns A {@link RepairReason}.
   */
  onSymbol(id: number, bytes: Uint8Array): number {
    if (!(Number.isSafeInteger(id) && id >= 0) || bytes.length === 0 || bytes.length > SYMBOL_BYTES_MAX) {
      return RepairReason.MALFORMED;
    }
    const window = this.#window;
    if (id < window.base) return RepairReason.TOO_OLD;
    this.#fit(id);
    if (window.get(id) !== undefined) return RepairReason.OK;
    this.#store(id, bytes);
    this.keepAtMost(this.#limits.symbolBytesMax);
    return RepairReason.OK;
  }

  /**
   * Takes one repair symbol.
   *
   * @param first Symbol id of the block's source symbol 0; `stride` symbol ids lie between one source symbol and the
   * next, `k` of them; `row` is the generator row. All straight from the wire: anything may be wrong with them.
   * @param bytes Kept as a view if it is kept: the caller must not reuse the memory.
   * @returns A {@link RepairReason}. Cost: O(k), and O(unknowns * rows) when it joins a system.
   */
  onRepair(first: number, stride: number, k: number, row: number, bytes: Uint8Array): number {
    const reason = this.#check(first, stride, k, row, bytes);
    if (reason !== RepairReason.OK) return reason;
    const last = first + (k - 1) * stride;
    this.#fit(last);
    if (first < this.#window.base) return RepairReason.TOO_OLD;
    const behind = 2 * (Math.max(this.#window.end - 1, last) - first);
    if (behind > this.#historySymbols) this.#historySymbols = Math.min(behind, this.#limits.symbolsMax);
    const missing = this.#countMissing(first, stride, k);
    if (missing === 0) {
      this.unusedCount++;
      return RepairReason.OK;
    }
    const known = this.#find(first, stride, k);
    if (known !== undefined) return this.#addToBlock(known, row, bytes);
    this.#addBlock({
      first,
      stride,
      k,
      last,
      symbolBytes: bytes.length,
      rows: [row],
      repair: [bytes],
      missing,
      system: undefined,
    });
    return RepairReason.OK;
  }

  /**
   * Hands over what was rebuilt since the last call, and rebuilds what can be. One comparison when there is nothing.
   *
   * @param onRebuilt Gets each symbol once. Its bytes may end in padding zeros, are shared with the decoder and must
   * not be changed. It may call any method of the decoder but this one.
   * @returns How many there were.
   */
  takeRebuilt(onRebuilt: (id: number, bytes: Uint8Array) => void): number {
    if (!this.#systems.isPromising) return 0;
    this.#rebuild();
    const count = this.#rebuiltIds.length;
    for (let i = 0; i < count; i++) {
      onRebuilt(this.#rebuiltIds[i] as number, this.#rebuiltBytes[i] as Uint8Array);
    }
    this.#rebuiltIds.length = 0;
    this.#rebuiltBytes.length = 0;
    return count;
  }

  /** Nothing below `id` is wanted any more. Symbols at hand stay for a while: later blocks may overlap them. */
  dropBelow(id: number): void {
    if (!(id > this.#floor)) return;
    this.#floor = id;
    if (this.#oldestLast < id) this.#dropOld(0);
    const base = Math.min(id - this.#historySymbols, this.#oldestFirst);
    if (base > this.#window.base) this.#window.slideTo(base);
  }

  /** Forgets the oldest symbols, and the blocks that reach back to them, while more than `bytes` are held. */
  keepAtMost(bytes: number): void {
    const window = this.#window;
    // Its end as well: memory that somebody detached counted for more when it came than it does when it goes.
    while (window.heldBytes > bytes && window.base < window.end) this.#slideTo(window.base + 1);
  }

  #check(first: number, stride: number, k: number, row: number, bytes: Uint8Array): number {
    const size = bytes.length;
    if (!(k >= 1 && row >= 0 && k + row < BLOCK_SYMBOLS_MAX && stride >= 1)) return RepairReason.MALFORMED;
    if (!(Number.isSafeInteger(first) && first >= 0) || size === 0 || size > SYMBOL_BYTES_MAX) {
      return RepairReason.MALFORMED;
    }
    const { symbolsMax } = this.#limits;
    const span = (k - 1) * stride;
    if (span >= symbolsMax || first + span >= this.#window.end + symbolsMax / 2) return RepairReason.TOO_FAR;
    return first < this.#window.base || first + span < this.#floor ? RepairReason.TOO_OLD : RepairReason.OK;
  }

  /** Makes room for `id`, at the cost of the oldest symbols if need be. */
  #fit(id: number): void {
    if (!this.#window.fits(id)) {
      this.#slideTo(id - this.#limits.symbolsMax + 1);
      this.#window.fits(id);
    }
  }

  #slideTo(base: number): void {
    if (this.#oldestFirst < base) this.#dropOld(base);
    this.#window.slideTo(base);
  }

  #countMissing(first: number, stride: number, k: number): number {
    let missing = 0;
    for (let i = 0, id = first; i < k; i++, id += stride) if (this.#window.get(id) === undefined) missing++;
    return missing;
  }

  #find(first: number, stride: number, k: number): LiveBlock | undefined {
    for (let i = this.#blocks.length - 1; i >= 0; i--) {
      const block = this.#blocks[i] as LiveBlock;
      if (block.first === first && block.k === k && block.stride === stride) return block;
    }
    return undefined;
  }

  #addToBlock(block: LiveBlock, row: number, bytes: Uint8Array): number {
    if (bytes.length !== block.symbolBytes) return RepairReason.INCONSISTENT;
    const isUseless = block.rows.includes(row) || block.rows.length >= block.missing;
    if (isUseless || !this.#systems.addRow(block, row)) {
      this.unusedCount++;
      return RepairReason.OK;
    }
    block.rows.push(row);
    block.repair.push(bytes);
    this.#countRepair();
    return RepairReason.OK;
  }

  #addBlock(block: LiveBlock): void {
    if (!this.#systems.add(block)) {
      this.unusedCount++;
      return;
    }
    for (let i = 0, id = block.first; i < block.k; i++, id += block.stride) {
      if (this.#window.get(id) === undefined) this.#window.cover(id, block);
    }
    this.#blocks.push(block);
    this.#oldestFirst = Math.min(this.#oldestFirst, block.first);
    this.#oldestLast = Math.min(this.#oldestLast, block.last);
    this.#countRepair();
    const { waiting } = this.#systems;
    if (waiting.length > WAITING_BLOCKS_MAX) this.#drop([waiting[0] as LiveBlock]);
  }

  #countRepair(): void {
    this.#repairCount++;
    if (this.#repairCount <= this.#limits.repairMax) return;
    // The whole system: to take one of its rows back would mean to eliminate all others anew.
    const oldest = this.#blocks[0] as LiveBlock;
    this.#drop(oldest.system === undefined ? [oldest] : [...oldest.system.blocks]);
  }

  /** A missing symbol is at hand: the blocks that touch it come closer, and what misses nothing goes. */
  #store(id: number, bytes: Uint8Array): void {
    const blocks = this.#window.coverage(id);
    this.#window.put(id, bytes);
    if (blocks === undefined) return;
    this.#window.clearCoverage(id);
    this.#systems.onFound(id, blocks);
    for (const block of blocks) {
      block.missing--;
      if (block.missing > 0) continue;
      this.#systems.retire(block);
      this.#forget(block);
    }
    this.#refreshOldest();
  }

  #rebuild(): void {
    for (let system = this.#systems.next(); system !== undefined; system = this.#systems.next()) {
      const ids = system.determinedIds();
      const solved = solveSystem(this.#codec, system, ids, this.#window);
      for (let i = 0; i < ids.length; i++) {
        const bytes = solved[i];
        if (bytes !== undefined) this.#onSolved(ids[i] as number, bytes);
      }
    }
  }

  #onSolved(id: number, bytes: Uint8Array): void {
    // No source symbol is longer than any block that it is in: the rest is padding.
    let length = bytes.length;
    for (const block of this.#window.coverage(id) ?? []) length = Math.min(length, block.symbolBytes);
    const symbol = length < bytes.length ? bytes.subarray(0, length) : bytes;
    this.#store(id, symbol);
    if (id < this.#floor) return;
    this.rebuiltCount++;
    this.#rebuiltIds.push(id);
    this.#rebuiltBytes.push(symbol);
  }

  /**
   * Gives up every system with a block that begins below `base`, and every block whose system misses nothing that is
   * still wanted: what ends below the floor may tell of symbols that others, above it, miss too.
   */
  #dropOld(base: number): void {
    const systems = this.#systems;
    for (const { first, system } of this.#blocks) {
      if (first < base && system !== undefined) system.isGivenUp = true;
    }
    this.#drop(
      this.#blocks.filter(
        (block) =>
          block.first < base || block.system?.isGivenUp === true || systems.newestOf(block) < this.#floor,
      ),
    );
    this.#oldestLast = Number.POSITIVE_INFINITY;
    for (const block of this.#blocks) this.#oldestLast = Math.min(this.#oldestLast, systems.newestOf(block));
  }

  #drop(blocks: readonly LiveBlock[]): void {
    this.#systems.drop(blocks);
    for (const block of blocks) {
      this.droppedCount += block.rows.length;
      this.#forget(block);
    }
    this.#refreshOldest();
  }

  #forget(block: LiveBlock): void {
    this.#repairCount -= block.rows.length;
    remove(this.#blocks, block);
  }

  #refreshOldest(): void {
    this.#oldestFirst = Number.POSITIVE_INFINITY;
    this.#oldestLast = Number.POSITIVE_INFINITY;
    for (const block of this.#blocks) {
      this.#oldestFirst = Math.min(this.#oldestFirst, block.first);
      this.#oldestLast = Math.min(this.#oldestLast, block.last);
    }
  }
}
