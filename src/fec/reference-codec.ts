/**
 * The erasure code in plain TypeScript: for engines without WebAssembly, and the reference of every test. It takes the
 * long way on purpose (coefficients one by one, decoding by elimination), so that it shares no idea with the kernel
 * that could be wrong in both.
 */
import { checkDecode, checkEncode, checkSolve, RowFilter } from './arguments.ts';
import type { ErasureCodec, RepairEquations } from './codec.ts';
import { coefficient } from './coefficients.ts';
import { addScaled } from './gf256.ts';
import { LinearSystem } from './joint.ts';

/** An equation kept by the system: repair symbol `index` of a block. */
interface Equation {
  readonly block: RepairEquations;
  readonly index: number;
}

export class ReferenceCodec implements ErasureCodec {
  readonly engine = 'typescript';
  readonly #filter: RowFilter = new RowFilter();

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
    const made: Uint8Array[] = [];
    for (let row = firstRow; row < firstRow + r; row++) {
      const repair = new Uint8Array(symbolBytes);
      for (let j = 0; j < k; j++) addScaled(repair, symbols[j] as Uint8Array, coefficient(k, row, j));
      made.push(repair);
    }
    return made;
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
    const unknowns = Array.from(symbols, (symbol) => (symbol === undefined ? missing++ : -1));
    const solved = this.#solve(missing, [{ symbols, unknowns, rows, repair }], symbolBytes);
    // Any square part of the generator matrix is invertible: too few symbols determine none of the missing.
    if (solved.includes(undefined)) return null;
    for (let j = 0; j < k; j++) {
      if (symbols[j] === undefined) symbols[j] = solved[unknowns[j] as number];
    }
    return missing;
  }

  solve(
    unknownCount: number,
    blocks: readonly RepairEquations[],
    symbolBytes: number,
  ): (Uint8Array | undefined)[] {
    checkSolve(unknownCount, blocks, symbolBytes);
    return this.#solve(unknownCount, blocks, symbolBytes);
  }

  #solve(
    unknownCount: number,
    blocks: readonly RepairEquations[],
    symbolBytes: number,
  ): (Uint8Array | undefined)[] {
    const system = new LinearSystem(unknownCount);
    const kept: Equation[] = [];
    for (const block of blocks) {
      this.#filter.open();
      block.rows.forEach((row, index) => {
        if (!this.#filter.accepts(row, block.symbols.length)) return;
        if (system.offer(leftSide(unknownCount, block, row))) kept.push({ block, index });
      });
    }
    const rightSides = kept.map((equation) => rightSide(equation, symbolBytes));
    const solved: (Uint8Array | undefined)[] = new Array(unknownCount).fill(undefined);
    for (const { unknown, factors } of system.solutions()) {
      const symbol = new Uint8Array(symbolBytes);
      for (const [e, side] of rightSides.entries()) addScaled(symbol, side, factors[e] as number);
      solved[unknown] = symbol;
    }
    return solved;
  }
}

/** Coefficients of the unknowns in one repair symbol. */
function leftSide(unknownCount: number, block: RepairEquations, row: number): Uint8Array {
  const left = new Uint8Array(unknownCount);
  for (const [j, symbol] of block.symbols.entries()) {
    if (symbol === undefined) left[block.unknowns[j] as number] = coefficient(block.symbols.length, row, j);
  }
  return left;
}

/** The repair symbol less what the symbols at hand put into it. */
function rightSide({ block, index }: Equation, symbolBytes: number): Uint8Array {
  const right = new Uint8Array(symbolBytes);
  right.set(block.repair[index] as Uint8Array);
  const k = block.symbols.length;
  for (const [j, symbol] of block.symbols.entries()) {
    if (symbol !== undefined) addScaled(right, symbol, coefficient(k, block.rows[index] as number, j));
  }
  return right;
}
