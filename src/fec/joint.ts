/**
 * A linear system over GF(2^8), offered one equation at a time and kept in reduced row echelon form, each row beside the
 * combination of equations that it is. In: coefficient rows. Out: which unknowns are determined, and by which
 * combination of right-hand sides. Source: Gauss-Jordan elimination.
 */
import { addScaled, divide } from './gf256.ts';

interface Row {
  readonly pivot: number;
  /** Shape [unknownCount]: 1 at the pivot, 0 at every other row's pivot. */
  readonly coefficients: Uint8Array;
  /** Shape [unknownCount]: factors of the kept equations, which are never more than the unknowns. */
  readonly factors: Uint8Array;
}

/** An unknown and the sum of right-hand sides that it equals. */
export interface Solution {
  readonly unknown: number;
  /** Shape [rank]: one factor per kept equation. */
  readonly factors: Uint8Array;
}

export class LinearSystem {
  readonly #unknownCount: number;
  readonly #rows: Row[] = [];

  constructor(unknownCount: number) {
    this.#unknownCount = unknownCount;
  }

  /** Equations kept: independent of one another. */
  get rank(): number {
    return this.#rows.length;
  }

  /**
   * @param coefficients Shape [unknownCount].
   * @returns True if the equation was kept, as number `rank - 1`; false if those before it imply it.
   */
  offer(coefficients: Uint8Array): boolean {
    const left = coefficients.slice();
    const right = new Uint8Array(this.#unknownCount);
    right[this.rank] = 1;
    for (const row of this.#rows) {
      const factor = left[row.pivot] as number;
      addScaled(left, row.coefficients, factor);
      addScaled(right, row.factors, factor);
    }
    const pivot = left.findIndex((value) => value !== 0);
    if (pivot < 0) return false;
    const inverse = divide(1, left[pivot] as number);
    const added: Row = {
      pivot,
      coefficients: new Uint8Array(this.#unknownCount),
      factors: new Uint8Array(this.#unknownCount),
    };
    addScaled(added.coefficients, left, inverse);
    addScaled(added.factors, right, inverse);
    for (const row of this.#rows) {
      const factor = row.coefficients[pivot] as number;
      addScaled(row.coefficients, added.coefficients, factor);
      addScaled(row.factors, added.factors, factor);
    }
    this.#rows.push(added);
    return true;
  }

  /** The unknowns that the equations determine: rows with no coefficient but their pivot. */
  solutions(): Solution[] {
    const solved: Solution[] = [];
    for (const { pivot, coefficients, factors } of this.#rows) {
      const terms = coefficients.reduce((count, value) => count + (value === 0 ? 0 : 1), 0);
      if (terms === 1) solved.push({ unknown: pivot, factors: factors.slice(0, this.rank) });
    }
    return solved;
  }
}
