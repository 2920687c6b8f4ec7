/**
 * Which live blocks belong together: blocks that share a missing symbol form one system, systems that a new block
 * connects are merged, and a system that would exceed 64 unknowns leaves the new block waiting. In: blocks, further
 * rows, symbols that turned up. Out: a queue of systems that determine something. Source: DESIGN D6 (joint decoding).
 */
import { UNKNOWNS_MAX } from './codec.ts';
import { rowCoefficients } from './coefficients.ts';
import { type EliminationWork, type LiveBlock, RepairSystem, remove } from './repair-system.ts';
import type { SymbolWindow } from './symbol-window.ts';

/**
 * Row operations that a frame of the peer may cost, on average since the beginning, whatever it holds. It changes a system
 * twice at most: its row comes, and the symbol that it gives goes. Each time a row meets every other one at most twice, and
 * as many rows again once the system is taken apart, which as many changes have to pay for as it has rows.
 */
export const ROW_OPERATIONS_PER_FRAME_MAX: number = 2 * 2 * 2 * UNKNOWNS_MAX;
/** Waiting blocks looked at for one frame of the peer: each look walks over a whole block. */
const WAITING_LOOKS_MAX = 2;
/** `#place`: the system would be too large. */
const WAITS = -1;

export class JointSystems {
  /** Blocks whose system would be too large, oldest first. The owner keeps them few. */
  readonly waiting: LiveBlock[] = [];
  readonly #window: SymbolWindow;
  readonly #work: EliminationWork = { rowOperations: 0 };
  readonly #queue: RepairSystem[] = [];
  /** Something changed that may let a waiting block in. */
  #mayPlaceWaiting = false;
  /** The newest one not looked at since; all of them when it is Infinity. */
  #nextWaiting: number = Number.POSITIVE_INFINITY;
  // Scratch of one row: never more entries than unknowns.
  readonly #positions: Uint8Array = new Uint8Array(UNKNOWNS_MAX);
  readonly #columns: Uint8Array = new Uint8Array(UNKNOWNS_MAX);
  readonly #coefficients: Uint8Array = new Uint8Array(UNKNOWNS_MAX);

  constructor(window: SymbolWindow) {
    this.#window = window;
  }

  /** True when `next` may have something to say. */
  get isPromising(): boolean {
    return this.#queue.length > 0 || this.#mayPlaceWaiting;
  }

  /** The next system that determines at least one missing symbol. */
  next(): RepairSystem | undefined {
    if (this.#mayPlaceWaiting) this.#placeWaiting();
    for (;;) {
      const system = this.#queue.pop();
      if (system === undefined) return undefined;
      system.isQueued = false;
      if (system.hasDetermined()) return system;
    }
  }

  /** Row operations of elimination so far. */
  get rowOperations(): number {
    return this.#work.rowOperations;
  }

  /** Takes a new block of one row; the window is to know then what it covers. False if it follows from what is at hand. */
  add(block: LiveBlock): boolean {
    const news = this.#place(block);
    if (news === WAITS) this.waiting.push(block);
    else if (news === 0) {
      this.retire(block);
      block.system = undefined;
      return false;
    }
    return true;
  }

  /** Takes a further row of a block. False if it follows from what is at hand. */
  addRow(block: LiveBlock, row: number): boolean {
    const { system } = block;
    if (system === undefined) return true;
    if (!this.#addRow(system, block, row)) return false;
    system.rowCount++;
    system.changeCount++;
    return true;
  }

  /**
   * The newest symbol that a block still helps with: that of its whole system, or its own end while blocks wait for room
   * and the system may be taken apart.
   */
  newestOf({ last, system }: LiveBlock): number {
    if (system === undefined) return last;
    return this.waiting.length > 0 && mayTakeApart(system) ? last : system.newest;
  }

  /** A missing symbol turned up; `blocks` touched it. */
  onFound(id: number, blocks: readonly LiveBlock[]): void {
    let system: RepairSystem | undefined;
    for (let i = 0; i < blocks.length && system === undefined; i++) system = blocks[i]?.system;
    if (system !== undefined) {
      system.removeColumn(system.columnOf(id));
      system.changeCount++;
      this.#enqueue(system);
    }
    if (this.waiting.length > 0) this.#mayPlaceWaiting = true;
  }

  /** Forgets a block that misses nothing any more. Its rows are empty by now. */
  retire(block: LiveBlock): void {
    const { system } = block;
    remove(system === undefined ? this.waiting : system.blocks, block);
    if (system !== undefined) system.rowCount -= block.rows.length;
  }

  /** Gives blocks up; the systems that they were part of are rebuilt from the others, if they leave any. */
  drop(blocks: readonly LiveBlock[]): void {
    const affected: RepairSystem[] = [];
    for (const block of blocks) {
      const { system } = block;
      this.retire(block);
      for (let i = 0, id = block.first; i < block.k; i++, id += block.stride) this.#window.uncover(id, block);
      if (system !== undefined && !affected.includes(system)) affected.push(system);
      block.system = undefined;
    }
    for (const system of affected) this.#split(system);
    if (this.waiting.length > 0) this.#mayPlaceWaiting = true;
  }

  #enqueue(system: RepairSystem): void {
    if (system.isQueued || !system.hasDetermined()) return;
    system.isQueued = true;
    this.#queue.push(system);
  }

  /** Returns how many rows told something new, or WAITS if there would be more unknowns than {@link UNKNOWNS_MAX}. */
  #place(block: LiveBlock): number {
    if (block.missing > UNKNOWNS_MAX) return WAITS;
    let touched = this.#systemsOf(block);
    if (this.#unknownsWith(block, touched) > UNKNOWNS_MAX) {
      // What has shrunk may have fallen apart: perhaps the block touches only a part of it.
      const worn = touched.filter((system) => system.hasShrunk && mayTakeApart(system));
      if (worn.length === 0) return WAITS;
      for (const system of worn) this.#split(system);
      touched = this.#systemsOf(block);
      if (this.#unknownsWith(block, touched) > UNKNOWNS_MAX) return WAITS;
    }
    const system = touched[0] ?? new RepairSystem(this.#work);
    for (let i = 1; i < touched.length; i++) system.absorb(touched[i] as RepairSystem);
    for (let i = 0, id = block.first; i < block.k; i++, id += block.stride) {
      if (this.#window.get(id) === undefined && system.columnOf(id) < 0) system.addColumn(id);
    }
    block.system = system;
    system.blocks.push(block);
    system.rowCount += block.rows.length;
    let news = 0;
    for (const row of block.rows) if (this.#addRow(system, block, row)) news++;
    system.changeCount += news;
    this.#enqueue(system);
    return news;
  }

  #placeWaiting(): void {
    let i = Math.min(this.#nextWaiting, this.waiting.length) - 1;
    for (let looks = 0; looks < WAITING_LOOKS_MAX && i >= 0; looks++, i--) {
      if (this.#place(this.waiting[i] as LiveBlock) !== WAITS) this.waiting.splice(i, 1);
    }
    this.#nextWaiting = i + 1;
    if (i >= 0) return;
    this.#nextWaiting = Number.POSITIVE_INFINITY;
    this.#mayPlaceWaiting = false;
  }

  #addRow(system: RepairSystem, block: LiveBlock, row: number): boolean {
    let count = 0;
    for (let i = 0, id = block.first; i < block.k; i++, id += block.stride) {
      if (this.#window.get(id) !== undefined) continue;
      this.#positions[count] = i;
      this.#columns[count++] = system.columnOf(id);
    }
    rowCoefficients(block.k, row, this.#positions, count, this.#coefficients);
    if (!system.addRow(this.#columns, this.#coefficients, count)) return false;
    this.#enqueue(system);
    return true;
  }

  #systemsOf(block: LiveBlock): RepairSystem[] {
    const touched: RepairSystem[] = [];
    for (let i = 0, id = block.first; i < block.k; i++, id += block.stride) {
      const system = this.#window.get(id) === undefined ? this.#systemAt(id) : undefined;
      if (system !== undefined && !touched.includes(system)) touched.push(system);
    }
    return touched;
  }

  #systemAt(id: number): RepairSystem | undefined {
    const blocks = this.#window.coverage(id);
    if (blocks === undefined) return undefined;
    for (const block of blocks) if (block.system !== undefined) return block.system;
    return undefined;
  }

  #unknownsWith(block: LiveBlock, touched: readonly RepairSystem[]): number {
    let unknowns = 0;
    for (const system of touched) unknowns += system.ids.length;
    for (let i = 0, id = block.first; i < block.k; i++, id += block.stride) {
      if (this.#window.get(id) === undefined && this.#systemAt(id) === undefined) unknowns++;
    }
    return unknowns;
  }

  /** Takes a system apart and puts its blocks back: what is no longer connected becomes smaller systems. */
  #split(system: RepairSystem): void {
    const blocks = [...system.blocks];
    system.clear();
    for (const block of blocks) block.system = undefined;
    for (const block of blocks) this.#place(block);
    for (const block of blocks) if (block.system !== undefined) block.system.changeCount = 0;
  }
}

/** True when enough has happened to a system to pay for its elimination anew. */
function mayTakeApart(system: RepairSystem): boolean {
  return system.rowCount <= system.changeCount;
}
