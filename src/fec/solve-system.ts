/**
 * Turns a joint system into the payload equations that the codec solves. In: a system that determines some missing
 * symbols. Out: those symbols. This is the only place where rebuilding costs O(payload bytes).
 */
import type { ErasureCodec, RepairEquations } from './codec.ts';
import type { LiveBlock, RepairSystem } from './repair-system.ts';
import type { SymbolWindow } from './symbol-window.ts';

/**
 * @param wanted Ids that the system determines.
 * @returns Shape [wanted.length]: a fresh array per id, zero-padded to the longest repair symbol used.
 */
export function solveSystem(
  codec: ErasureCodec,
  system: RepairSystem,
  wanted: readonly number[],
  window: SymbolWindow,
): (Uint8Array | undefined)[] {
  // Usually the blocks that touch nothing else are enough, and the rest (newer media, still on its way) costs nothing.
  const closed = system.blocks.filter((block) => missesOnly(block, wanted, window));
  let rowCount = 0;
  for (const block of closed) rowCount += block.rows.length;
  if (rowCount >= wanted.length) {
    const solved = solve(codec, closed, wanted, window);
    if (!solved.includes(undefined)) return solved;
  }
  const others = system.ids.filter((id) => !wanted.includes(id));
  return solve(codec, system.blocks, [...wanted, ...others], window).slice(0, wanted.length);
}

function missesOnly(block: LiveBlock, wanted: readonly number[], window: SymbolWindow): boolean {
  if (block.missing > wanted.length) return false;
  for (let i = 0, id = block.first; i < block.k; i++, id += block.stride) {
    if (window.get(id) === undefined && !wanted.includes(id)) return false;
  }
  return true;
}

function solve(
  codec: ErasureCodec,
  blocks: readonly LiveBlock[],
  unknownIds: readonly number[],
  window: SymbolWindow,
): (Uint8Array | undefined)[] {
  let symbolBytes = 0;
  for (const block of blocks) symbolBytes = Math.max(symbolBytes, block.symbolBytes);
  const equations = blocks.map((block) => equationsOf(block, unknownIds, window));
  return codec.solve(unknownIds.length, equations, symbolBytes);
}

function equationsOf(block: LiveBlock, unknownIds: readonly number[], window: SymbolWindow): RepairEquations {
  const { symbolBytes } = block;
  const symbols: (Uint8Array | undefined)[] = [];
  const unknowns: number[] = [];
  for (let i = 0, id = block.first; i < block.k; i++, id += block.stride) {
    const symbol = window.get(id);
    // Longer ones are padding of an earlier rebuild, or a sender's contradiction: then the result is nonsense, its own.
    // Cut, they cost what this block is long, and not what the longest of the system is.
    symbols.push(
      symbol !== undefined && symbol.length > symbolBytes ? symbol.subarray(0, symbolBytes) : symbol,
    );
    unknowns.push(symbol === undefined ? unknownIds.indexOf(id) : -1);
  }
  return { symbols, unknowns, rows: block.rows, repair: block.repair };
}
