/**
 * Finished cells on disk: one JSON file each, written whole or not at all, so that a run can be interrupted and resumed.
 * In: results. Out: the same results again, for the same spec only.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KernelResult } from './cell.ts';
import type { KernelCellPlan } from './matrix.ts';

/** How a cell was made: cells of several runs may stand in one table. */
export interface Made {
  /** Version and commit. */
  readonly version: string;
  /** Cells that ran at the same time, this one included. */
  readonly jobs: number;
  readonly priority: 'real-time' | 'normal';
}

/** A cell that has run. */
export interface Finished {
  readonly cell: KernelCellPlan;
  readonly result: KernelResult;
  readonly made: Made;
}

/** JSON has no Infinity. */
const INFINITY = 'Infinity';

/** More digits say nothing. */
const DECIMALS = 1e4;

/** Results as JSON text, with four decimals. */
export function toJson(value: unknown, indent = 0): string {
  const replace = (_key: string, inner: unknown): unknown => {
    if (inner === Number.POSITIVE_INFINITY) return INFINITY;
    return typeof inner === 'number' ? Math.round(inner * DECIMALS) / DECIMALS : inner;
  };
  return JSON.stringify(value, replace, indent);
}

/** The other way. */
export function fromJson(text: string): unknown {
  return JSON.parse(text, (_key, inner: unknown) => (inner === INFINITY ? Number.POSITIVE_INFINITY : inner));
}

/** One folder of finished cells. */
export class Store {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  #path({ id }: KernelCellPlan): string {
    return join(this.#folder, `${id.replaceAll('/', '_').replaceAll('%', 'pc')}.json`);
  }

  save(finished: Finished): void {
    const path = this.#path(finished.cell);
    writeFileSync(`${path}.part`, `${toJson(finished, 1)}\n`);
    renameSync(`${path}.part`, path);
  }

  /** The result of this cell, if it is there, ran without faults and undisturbed, and was of the same spec. */
  load(cell: KernelCellPlan): Finished | undefined {
    const path = this.#path(cell);
    if (!existsSync(path)) return undefined;
    const stored = fromJson(readFileSync(path, 'utf8')) as Finished;
    const isSame = toJson(stored.cell.spec) === toJson(cell.spec);
    const { faults, disturbances = [] } = stored.result;
    return isSame && faults.length === 0 && disturbances.length === 0 ? { ...stored, cell } : undefined;
  }
}
