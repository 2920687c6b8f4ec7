/**
 * Which live blocks belong together: blocks that share a missing symbol form one system, systems that a new block
 * connects are merged, and a system that would exceed 64 unknowns leaves the new block waiting. In: blocks, further
 * rows, symbols that turned up. Out: a queue of systems that determine something. Source: DESIGN D6 (joint decoding).
 */
import { UNKNOWNS_MAX } from './codec.ts';
import { rowCoefficients } from './coefficients.ts';
import { type LiveBlock, RepairSystem, remove } from './repair-system.ts';
import type { SymbolWindow } from './symbol-window.ts';

export class JointSystems {
  /** Blocks whose system would be too large, oldest first. The owner keeps them few. */
  readonly waiting: LiveBlock[] = [];
  readonly #window: SymbolWindow;
  readonly #queue: RepairSystem[] = [];
  /** Something changed that may let a waiting block in. */
  #mayPlaceWaiting = false;
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

  /** Takes a new block, whose missing symbols the window knows to be covered by it. */
  add(block: LiveBlock): void {
    if (!this.#place(block)) this.waiting.push(block);
  }

  /** The newest symbol that the block, or one it shares a system with, misses; its own end while blocks wait for room. */
  newestOf({ last, system }: LiveBlock): number {
    return system === undefined || this.waiting.length > 0 ? last : Math.max(...system.ids);
  }

  /** Takes a further row of a block. False if it follows from what is at hand. */
  addRow(block: LiveBlock, row: number): boolean {
    return block.system === undefined || this.#addRow(block.system, block, row);
  }

  /** A missing symbol turned up; `blocks` touched it. */
  onFound(id: number, blocks: readonly LiveBlock[]): void {
    let system: RepairSystem | undefined;
    for (let i = 0; i < blocks.length && system === undefined; i++) system = blocks[i]?.system;
    if (system !== undefined) {
      system.removeColumn(system.columnOf(id));
      this.#enqueue(system);
    }
    if (this.waiting.length > 0) this.#mayPlaceWaiting = true;
  }

  /** Forgets a block that misses nothing any more. Its rows are empty by now. */
  retire(block: LiveBlock): void {
    remove(block.system === undefined ? this.waiting : block.system.blocks, block);
  }

  /** Gives blocks up; the systems that they were part of are rebuilt from the others. */
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

  /** False if the block's system would have more unknowns than {@link UNKNOWNS_MAX}. */
  #place(block: LiveBlock): boolean {
    if (block.missing > UNKNOWNS_MAX) return false;
    let touched = this.#systemsOf(block);
    if (this.#unknownsWith(block, touched) > UNKNOWNS_MAX) {
      // What has shrunk may have fallen apart: perhaps the block touches only a part of it.
      if (!touched.some((system) => system.hasShrunk)) return false;
      for (const system of touched) this.#split(system);
      touched = this.#systemsOf(block);
      if (this.#unknownsWith(block, touched) > UNKNOWNS_MAX) return false;
    }
    const system = touched[0] ?? new RepairSystem();
    for (let i = 1; i < touched.length; i++) system.absorb(touched[i] as RepairSystem);
    for (let i = 0, id = block.first; i < block.k; i++, id += block.stride) {
      if (this.#window.get(id) === undefined && system.columnOf(id) < 0) system.addColumn(id);
    }
    block.system = system;
    system.blocks.push(block);
    for (const row of block.rows) this.#addRow(system, block, row);
    this.#enqueue(system);
    return true;
  }

  #placeWaiting(): void {
    this.#mayPlaceWaiting = false;
    for (let i = this.waiting.length - 1; i >= 0; i--) {
      if (this.#place(this.waiting[i] as LiveBlock)) this.waiting.splice(i, 1);
    }
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
  }
}
