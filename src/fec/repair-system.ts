/**
 * One joint system of DESIGN D6 without its payload: the repair symbols of blocks that share missing source symbols,
 * as a matrix over GF(2^8) kept in reduced row echelon form while rows (repair symbols) are added and columns (missing
 * source symbols) go away. A row with a single entry is a missing symbol that the system determines; only then is it
 * worth touching payload bytes. Source: Gauss-Jordan elimination, done one row at a time.
 */
import { UNKNOWNS_MAX } from './codec.ts';
import { addScaledRow, divide, multiply } from './gf256.ts';

/**
 * A block with repair symbols at hand and at least one source symbol missing. Only blocks that may rebuild something
 * are kept; a block whose symbols are all there is never made.
 */
export interface LiveBlock {
  /** Symbol id of source symbol 0. */
  readonly first: number;
  /** Distance between its source symbols, in symbol ids. */
  readonly stride: number;
  /** Source symbols, 1..254. */
  readonly k: number;
  /** Symbol id of source symbol k - 1. */
  readonly last: number;
  /** Length of its repair symbols = of its longest source symbol. */
  readonly symbolBytes: number;
  /** Generator rows at hand. */
  readonly rows: number[];
  /** Shape [rows.length]: the repair symbols. */
  readonly repair: Uint8Array[];
  /** Source symbols still missing. */
  missing: number;
  /** The joint system it is part of; undefined = it waits, for a system that could hold it would be too large. */
  system: RepairSystem | undefined;
}

/** What elimination has cost so far, counted by all systems of a decoder. */
export interface EliminationWork {
  /** Times that one row was added to another, over at most {@link UNKNOWNS_MAX} columns. */
  rowOperations: number;
}

export class RepairSystem {
  /** Symbol id of each column. */
  readonly ids: number[] = [];
  /** The blocks whose repair symbols are the rows. */
  readonly blocks: LiveBlock[] = [];
  /** True while queued for solving. */
  isQueued = false;
  /** True once a column has gone: the rest may have fallen apart into smaller systems. */
  hasShrunk = false;
  /** True while its blocks are being given up. */
  isGivenUp = false;
  /** Repair symbols of its blocks. */
  rowCount = 0;
  /** Rows that came and columns that went since it was put together. */
  changeCount = 0;
  /** Highest symbol id of any column; -1 if there is none. */
  newest = -1;

  /** Shape [rank + 1][UNKNOWNS_MAX]: the last row is the one being added. */
  readonly #cells: Uint8Array = new Uint8Array((UNKNOWNS_MAX + 1) * UNKNOWNS_MAX);
  /** Column of each row's leading entry, which is 1 and alone in its column. */
  readonly #pivots: Uint8Array = new Uint8Array(UNKNOWNS_MAX);
  /** Entries of each row beside the leading one; 0 = determined. */
  readonly #extras: Uint8Array = new Uint8Array(UNKNOWNS_MAX);
  readonly #work: Uint8Array = new Uint8Array(UNKNOWNS_MAX);
  readonly #cost: EliminationWork;
  #rank = 0;

  constructor(cost: EliminationWork) {
    this.#cost = cost;
  }

  /** Independent rows at hand. */
  get rank(): number {
    return this.#rank;
  }

  /** Column of a symbol id, or -1. */
  columnOf(id: number): number {
    return this.ids.indexOf(id);
  }

  /** Adds a column; the caller has checked that there are fewer than {@link UNKNOWNS_MAX}. */
  addColumn(id: number): number {
    if (id > this.newest) this.newest = id;
    return this.ids.push(id) - 1;
  }

  /** True when at least one missing symbol is determined. */
  hasDetermined(): boolean {
    for (let row = 0; row < this.#rank; row++) if (this.#extras[row] === 0) return true;
    return false;
  }

  /** Ids of the missing symbols that the rows determine. */
  determinedIds(): number[] {
    const found: number[] = [];
    for (let row = 0; row < this.#rank; row++) {
      if (this.#extras[row] === 0) found.push(this.ids[this.#pivots[row] as number] as number);
    }
    return found;
  }

  /**
   * Adds one repair symbol.
   *
   * @param columns Shape [count]: the columns it touches, each once.
   * @param coefficients Shape [count]: their coefficients.
   * @returns False if it follows from the rows at hand.
   */
  addRow(columns: Uint8Array, coefficients: Uint8Array, count: number): boolean {
    const work = this.#work;
    const width = this.ids.length;
    work.fill(0);
    for (let i = 0; i < count; i++) work[columns[i] as number] = coefficients[i] as number;
    for (let row = 0; row < this.#rank; row++) {
      const factor = work[this.#pivots[row] as number] as number;
      if (factor === 0) continue;
      addScaledRow(work, 0, this.#cells, row * UNKNOWNS_MAX, factor, width);
      this.#cost.rowOperations++;
    }
    const row = this.#rank;
    this.#cells.set(work, row * UNKNOWNS_MAX);
    if (!this.#lead(row)) return false;
    this.#rank++;
    this.#clearAbove(row);
    return true;
  }

  /** Takes over the columns, rows and blocks of another system, and empties it; the caller has checked the sum of columns. */
  absorb(other: RepairSystem): void {
    const shift = this.ids.length;
    const width = other.ids.length;
    for (const id of other.ids) this.ids.push(id);
    for (let row = 0; row < other.#rank; row++) {
      const to = (this.#rank + row) * UNKNOWNS_MAX;
      const from = row * UNKNOWNS_MAX;
      this.#cells.fill(0, to, to + UNKNOWNS_MAX);
      this.#cells.set(other.#cells.subarray(from, from + width), to + shift);
      this.#pivots[this.#rank + row] = (other.#pivots[row] as number) + shift;
      this.#extras[this.#rank + row] = other.#extras[row] as number;
    }
    this.#rank += other.#rank;
    for (const block of other.blocks) {
      block.system = this;
      this.blocks.push(block);
    }
    this.hasShrunk ||= other.hasShrunk;
    this.rowCount += other.rowCount;
    this.changeCount += other.changeCount;
    this.newest = Math.max(this.newest, other.newest);
    other.clear();
  }

  /** Leaves an empty shell, which determines nothing. */
  clear(): void {
    this.ids.length = 0;
    this.blocks.length = 0;
    this.rowCount = 0;
    this.changeCount = 0;
    this.newest = -1;
    this.#rank = 0;
  }

  /** A missing symbol is missing no more: its column leaves. O(rank), or O(rank * columns) for a leading column. */
  removeColumn(column: number): void {
    const id = this.ids[column] as number;
    this.hasShrunk = true;
    let owner = -1;
    for (let row = 0; row < this.#rank; row++) {
      const at = row * UNKNOWNS_MAX + column;
      if (this.#cells[at] === 0) continue;
      this.#cells[at] = 0;
      if (this.#pivots[row] === column) owner = row;
      else this.#extras[row] = (this.#extras[row] as number) - 1;
    }
    if (owner >= 0) {
      if (this.#lead(owner)) this.#clearAbove(owner);
      else this.#removeRow(owner);
    }
    this.#moveColumn(this.ids.length - 1, column);
    this.ids.pop();
    if (id === this.newest) this.newest = Math.max(-1, ...this.ids);
  }

  /**
   * Chooses the leading entry of a row and scales it to 1. The highest id leads: symbols that were only late arrive in
   * order, so the columns that leave are mostly low ones, which lead nothing and cost O(rank).
   */
  #lead(row: number): boolean {
    const at = row * UNKNOWNS_MAX;
    const width = this.ids.length;
    let best = -1;
    let entries = 0;
    for (let column = 0; column < width; column++) {
      if (this.#cells[at + column] === 0) continue;
      entries++;
      if (best < 0 || (this.ids[column] as number) > (this.ids[best] as number)) best = column;
    }
    if (best < 0) return false;
    const scale = divide(1, this.#cells[at + best] as number);
    for (let column = 0; column < width; column++) {
      this.#cells[at + column] = multiply(this.#cells[at + column] as number, scale);
    }
    this.#pivots[row] = best;
    this.#extras[row] = entries - 1;
    return true;
  }

  /** Removes the leading column of `source` from every other row. */
  #clearAbove(source: number): void {
    const from = source * UNKNOWNS_MAX;
    const pivot = this.#pivots[source] as number;
    const width = this.ids.length;
    for (let row = 0; row < this.#rank; row++) {
      const at = row * UNKNOWNS_MAX;
      const factor = this.#cells[at + pivot] as number;
      if (row === source || factor === 0) continue;
      this.#extras[row] = addScaledRow(this.#cells, at, this.#cells, from, factor, width) - 1;
      this.#cost.rowOperations++;
    }
  }

  #removeRow(row: number): void {
    const last = --this.#rank;
    if (row === last) return;
    const from = last * UNKNOWNS_MAX;
    this.#cells.copyWithin(row * UNKNOWNS_MAX, from, from + UNKNOWNS_MAX);
    this.#pivots[row] = this.#pivots[last] as number;
    this.#extras[row] = this.#extras[last] as number;
  }

  #moveColumn(from: number, to: number): void {
    if (from === to) return;
    this.ids[to] = this.ids[from] as number;
    for (let row = 0; row < this.#rank; row++) {
      const at = row * UNKNOWNS_MAX;
      this.#cells[at + to] = this.#cells[at + from] as number;
      this.#cells[at + from] = 0;
      if (this.#pivots[row] === from) this.#pivots[row] = to;
    }
  }
}

/** Removes one item of an unordered list, if it is there. */
export function remove<Item>(list: Item[], item: Item): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}
