/**
 * A block with repair symbols at hand and at least one source symbol missing. Only blocks that may rebuild something
 * are kept; a block whose symbols are all there is never made.
 */
import type { RepairSystem } from './repair-system.ts';

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

/** Removes one item of an unordered list, if it is there. */
export function remove<Item>(list: Item[], item: Item): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}
