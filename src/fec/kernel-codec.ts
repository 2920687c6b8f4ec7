/**
 * The erasure code on an instance of the WebAssembly kernel: checks arguments, copies symbols into the kernel's memory,
 * and hands out what it computed. In and out: see `ErasureCodec`. The kernel itself never sees an unchecked number.
 */
import { checkDecode, checkEncode, checkSolve, RowFilter } from './arguments.ts';
import { type ErasureCodec, type RepairEquations, UNKNOWNS_MAX } from './codec.ts';

interface Address {
  readonly value: number;
}

/** What a build of wasm/ exports; the addresses are those of wasm/assembly/layout.ts, explained there. */
export interface KernelExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  setUp(): void;
  buildMatrix(k: number, targets: number, points: number, missing: number): void;
  buildRepairMatrix(k: number, firstRow: number, rows: number): void;
  multiply(k: number, r: number, source: number, target: number, length: number, accumulate: number): void;
  openSystem(unknownCount: number): void;
  offerEquation(k: number, point: number, missing: number): number;
  closeSystem(): number;
  readonly TARGETS: Address;
  readonly POINTS: Address;
  readonly MISSING: Address;
  readonly SUBSTITUTES: Address;
  readonly UNKNOWNS: Address;
  readonly DETERMINED: Address;
  readonly NEEDED: Address;
  readonly SYMBOLS: Address;
  readonly EQUATIONS: Address;
  readonly RESULTS: Address;
  readonly RING: Address;
  readonly RING_SLOTS: Address;
  readonly SLOT_BYTES: Address;
}

/**
 * Rebuilt symbols are cut from slabs of about 50, each freed with the last of its symbols: memory of its own would cost a
 * symbol ten times the copy.
 */
const SLAB_BYTES = 65_536;
/** The kernel goes on so far at most beyond the length it is given, inside the slot: what is added up there must be zero. */
const OVERRUN_BYTES = 63;

/** Views of a row of slots. Making one costs as much as copying a symbol, so each is kept until the size changes. */
class SlotViews {
  readonly #buffer: ArrayBuffer;
  readonly #base: number;
  readonly #slotBytes: number;
  readonly #views: Uint8Array[] = [];

  constructor(kernel: KernelExports, base: number) {
    this.#buffer = kernel.memory.buffer;
    this.#base = base;
    this.#slotBytes = kernel.SLOT_BYTES.value;
  }

  /** The first `symbolBytes` of a slot. */
  get(slot: number, symbolBytes: number): Uint8Array {
    const kept = this.#views[slot];
    if (kept !== undefined && kept.length === symbolBytes) return kept;
    const view = new Uint8Array(this.#buffer, this.#base + slot * this.#slotBytes, symbolBytes);
    this.#views[slot] = view;
    return view;
  }
}

export class KernelCodec implements ErasureCodec {
  readonly engine: ErasureCodec['engine'];
  readonly #kernel: KernelExports;
  /** Taken out of the exports: reading it there takes longer than calling it. */
  readonly #multiply: KernelExports['multiply'];
  readonly #buildMatrix: KernelExports['buildMatrix'];
  readonly #buildRepairMatrix: KernelExports['buildRepairMatrix'];
  /** All of the kernel's memory; it never grows, so this view and its parts stay valid. */
  readonly #memory: Uint8Array;
  readonly #targets: number;
  readonly #points: number;
  readonly #missing: number;
  readonly #substitutes: number;
  readonly #unknowns: number;
  readonly #determined: number;
  readonly #needed: number;
  readonly #symbols: number;
  readonly #equations: number;
  readonly #results: number;
  readonly #ring: number;
  readonly #ringSlots: number;
  readonly #slotBytes: number;

  readonly #filter: RowFilter = new RowFilter();
  readonly #ringViews: SlotViews;
  readonly #resultViews: SlotViews;
  #nextSlot = 0;
  /** Shape [64]: block and repair symbol of each kept equation. */
  readonly #equationBlocks: Int32Array = new Int32Array(UNKNOWNS_MAX);
  readonly #equationIndexes: Int32Array = new Int32Array(UNKNOWNS_MAX);
  #slab: ArrayBuffer = new ArrayBuffer(0);
  #slabAt = SLAB_BYTES;

  /** @param kernel A fresh instance, owned by this codec from now on. */
  constructor(engine: ErasureCodec['engine'], kernel: KernelExports) {
    this.engine = engine;
    this.#kernel = kernel;
    this.#multiply = kernel.multiply;
    this.#buildMatrix = kernel.buildMatrix;
    this.#buildRepairMatrix = kernel.buildRepairMatrix;
    this.#memory = new Uint8Array(kernel.memory.buffer);
    this.#targets = kernel.TARGETS.value;
    this.#points = kernel.POINTS.value;
    this.#missing = kernel.MISSING.value;
    this.#substitutes = kernel.SUBSTITUTES.value;
    this.#unknowns = kernel.UNKNOWNS.value;
    this.#determined = kernel.DETERMINED.value;
    this.#needed = kernel.NEEDED.value;
    this.#symbols = kernel.SYMBOLS.value;
    this.#equations = kernel.EQUATIONS.value;
    this.#results = kernel.RESULTS.value;
    this.#ring = kernel.RING.value;
    this.#ringSlots = kernel.RING_SLOTS.value;
    this.#slotBytes = kernel.SLOT_BYTES.value;
    this.#ringViews = new SlotViews(kernel, this.#ring);
    this.#resultViews = new SlotViews(kernel, kernel.RESULTS.value);
    kernel.setUp();
  }

  get droppedRows(): number {
    return this.#filter.dropped;
  }

  encode(
    k: number,
    r: number,
    symbols: readonly Uint8Array[],
    symbolBytes: number,
    firstRow = 0,
  ): readonly Uint8Array[] {
    checkEncode(k, r, symbols, symbolBytes, firstRow);
    let at = this.#symbols;
    for (let j = 0; j < k; j++, at += this.#slotBytes)
      this.#copyIn(symbols[j] as Uint8Array, at, symbolBytes);
    const first = this.#nextSlot;
    const untilWrap = Math.min(r, this.#ringSlots - first);
    this.#encodeRows(k, firstRow, untilWrap, symbolBytes);
    if (untilWrap < r) this.#encodeRows(k, firstRow + untilWrap, r - untilWrap, symbolBytes);
    const made: Uint8Array[] = new Array(r);
    for (let i = 0; i < r; i++) made[i] = this.#ringViews.get((first + i) % this.#ringSlots, symbolBytes);
    return made;
  }

  /** Makes `count` repair symbols in consecutive slots of the ring. */
  #encodeRows(k: number, firstRow: number, count: number, symbolBytes: number): void {
    this.#buildRepairMatrix(k, firstRow, count);
    const target = this.#ring + this.#nextSlot * this.#slotBytes;
    this.#multiply(k, count, this.#symbols, target, symbolBytes, 0);
    this.#nextSlot = (this.#nextSlot + count) % this.#ringSlots;
  }

  decode(
    k: number,
    symbols: (Uint8Array | undefined)[],
    rows: readonly number[],
    repair: readonly Uint8Array[],
    symbolBytes: number,
  ): number | null {
    checkDecode(k, symbols, rows, repair, symbolBytes);
    let missing = 0;
    for (let j = 0; j < k; j++) if (symbols[j] === undefined) missing++;
    let next = k - missing;
    this.#filter.open();
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      if (!this.#filter.accepts(row, k) || next === k) continue;
      this.#memory[this.#substitutes + next - (k - missing)] = k + row;
      this.#memory[this.#points + next] = k + row;
      this.#copyIn(repair[i] as Uint8Array, this.#symbols + next * this.#slotBytes, symbolBytes);
      next++;
    }
    if (missing === 0) return 0;
    if (next < k) return null;
    this.#copyPresent(symbols, symbolBytes);
    this.#memory.copyWithin(this.#targets, this.#missing, this.#missing + missing);
    this.#buildMatrix(k, missing, k, missing);
    this.#multiply(k, missing, this.#symbols, this.#results, symbolBytes, 0);
    for (let m = 0; m < missing; m++) {
      symbols[this.#memory[this.#missing + m] as number] = this.#copyOut(m, symbolBytes);
    }
    return missing;
  }

  /**
   * Copies the symbols at hand to the first slots and lists them in POINTS, the others in MISSING.
   *
   * @returns How many are at hand.
   */
  #copyPresent(symbols: readonly (Uint8Array | undefined)[], symbolBytes: number): number {
    let present = 0;
    let missing = 0;
    for (let j = 0; j < symbols.length; j++) {
      const symbol = symbols[j];
      if (symbol === undefined) {
        this.#memory[this.#missing + missing++] = j;
      } else {
        this.#copyIn(symbol, this.#symbols + present * this.#slotBytes, symbolBytes);
        this.#memory[this.#points + present++] = j;
      }
    }
    return present;
  }

  solve(
    unknownCount: number,
    blocks: readonly RepairEquations[],
    symbolBytes: number,
  ): (Uint8Array | undefined)[] {
    checkSolve(unknownCount, blocks, symbolBytes);
    const rank = this.#chooseEquations(unknownCount, blocks);
    const solved: (Uint8Array | undefined)[] = new Array(unknownCount).fill(undefined);
    if (rank === 0 || this.#kernel.closeSystem() === 0) return solved;
    for (let first = 0; first < rank; ) {
      let end = first + 1;
      while (end < rank && this.#equationBlocks[end] === this.#equationBlocks[first]) end++;
      const block = blocks[this.#equationBlocks[first] as number] as RepairEquations;
      if (this.#needsAny(first, end)) this.#computeRightSides(block, first, end, symbolBytes);
      first = end;
    }
    // Again: the blocks' coefficients have overwritten MATRIX.
    const determined = this.#kernel.closeSystem();
    this.#multiply(rank, determined, this.#equations, this.#results, symbolBytes, 0);
    for (let d = 0; d < determined; d++) {
      solved[this.#memory[this.#determined + d] as number] = this.#copyOut(d, symbolBytes);
    }
    return solved;
  }

  /** Offers every usable row until the system is full. Returns its rank, the number of equations kept. */
  #chooseEquations(unknownCount: number, blocks: readonly RepairEquations[]): number {
    let rank = 0;
    this.#kernel.openSystem(unknownCount);
    for (let b = 0; b < blocks.length; b++) {
      const { symbols, unknowns, rows } = blocks[b] as RepairEquations;
      const k = symbols.length;
      let missing = 0;
      for (let j = 0; j < k; j++) {
        if (symbols[j] !== undefined) continue;
        this.#memory[this.#missing + missing] = j;
        this.#memory[this.#unknowns + missing] = unknowns[j] as number;
        missing++;
      }
      this.#filter.open();
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i] as number;
        if (!this.#filter.accepts(row, k) || rank === unknownCount || missing === 0) continue;
        if (this.#kernel.offerEquation(k, k + row, missing) === 0) continue;
        this.#equationBlocks[rank] = b;
        this.#equationIndexes[rank] = i;
        rank++;
      }
    }
    return rank;
  }

  #needsAny(first: number, end: number): boolean {
    for (let e = first; e < end; e++) if (this.#memory[this.#needed + e] === 1) return true;
    return false;
  }

  /** Right-hand sides of the equations `first..end-1`, all of one block: repair less what the symbols at hand put in. */
  #computeRightSides(block: RepairEquations, first: number, end: number, symbolBytes: number): void {
    const k = block.symbols.length;
    const ownBytes = longest(block.symbols);
    const present = this.#copyPresent(block.symbols, ownBytes + OVERRUN_BYTES);
    for (let e = first; e < end; e++) {
      const i = this.#equationIndexes[e] as number;
      this.#memory[this.#targets + e - first] = k + (block.rows[i] as number);
      this.#copyIn(block.repair[i] as Uint8Array, this.#equations + e * this.#slotBytes, symbolBytes);
    }
    if (present === 0) return;
    const target = this.#equations + first * this.#slotBytes;
    this.#buildMatrix(k, end - first, present, 0);
    this.#multiply(present, end - first, this.#symbols, target, ownBytes, 1);
  }

  #copyIn(symbol: Uint8Array, at: number, symbolBytes: number): void {
    this.#memory.set(symbol, at);
    if (symbol.length < symbolBytes) this.#memory.fill(0, at + symbol.length, at + symbolBytes);
  }

  /** A copy of one result in memory that nothing else refers to. */
  #copyOut(result: number, symbolBytes: number): Uint8Array {
    if (this.#slabAt + symbolBytes > SLAB_BYTES) {
      this.#slab = new ArrayBuffer(SLAB_BYTES);
      this.#slabAt = 0;
    }
    const copy = new Uint8Array(this.#slab, this.#slabAt, symbolBytes);
    this.#slabAt += symbolBytes;
    copy.set(this.#resultViews.get(result, symbolBytes));
    return copy;
  }
}

/** Length of the longest symbol at hand: beyond it a block puts nothing in, however long others are. */
function longest(symbols: readonly (Uint8Array | undefined)[]): number {
  let bytes = 0;
  for (const symbol of symbols) if (symbol !== undefined && symbol.length > bytes) bytes = symbol.length;
  return bytes;
}
