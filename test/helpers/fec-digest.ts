/**
 * One digest per build of the erasure code over a fixed set of blocks, decodes and joint systems. Run as a program it
 * prints them as JSON: the relaxed build needs an engine flag on Node 20, so it is tested in a process of its own.
 */
import { createHash } from 'node:crypto';
import { SeededRandom } from '../../src/base/random.ts';
import type { ErasureCodec, RepairEquations } from '../../src/fec/codec.ts';
import { type Engine, loadCodec, supportsEngine } from '../../src/fec/kernel.ts';

export const ENGINES: readonly Engine[] = ['relaxed', 'strict', 'scalar', 'typescript'];

/** Sizes on both sides of every choice in the kernel: odd rows, many rows, more than one pass, ragged columns. */
const SHAPES: readonly (readonly [k: number, r: number, symbolBytes: number])[] = [
  [1, 1, 1],
  [1, 254, 3],
  [2, 3, 47],
  [3, 2, 48],
  [4, 2, 49],
  [5, 5, 63],
  [10, 4, 64],
  [12, 12, 191],
  [17, 9, 193],
  [24, 8, 241],
  [33, 7, 300],
  [50, 10, 65],
  [100, 30, 97],
  [127, 128, 33],
  [129, 126, 17],
  [130, 20, 16],
  [250, 5, 31],
  [254, 1, 15],
  [20, 5, 1472],
  [15, 3, 1321],
  [60, 12, 1200],
];

export function randomSymbols(random: SeededRandom, count: number, symbolBytes: number): Uint8Array[] {
  return Array.from({ length: count }, () => {
    const symbol = new Uint8Array(symbolBytes);
    random.fill(symbol);
    return symbol;
  });
}

/** Joint systems: few and many rows (odd ones too), one and several columns, the lookups' way and the sums'. */
const SYSTEMS: readonly {
  k: number;
  rows: number;
  distance: number;
  lossPercent: number;
  symbolBytes: number;
}[] = [
  { k: 20, rows: 5, distance: 7, lossPercent: 50, symbolBytes: 70 },
  { k: 20, rows: 5, distance: 7, lossPercent: 30, symbolBytes: 1000 },
  { k: 12, rows: 1, distance: 3, lossPercent: 15, symbolBytes: 500 },
  { k: 30, rows: 3, distance: 5, lossPercent: 12, symbolBytes: 1000 },
  { k: 60, rows: 15, distance: 10, lossPercent: 40, symbolBytes: 333 },
];

/** Four overlapping blocks; some unknowns stay undetermined. */
function jointSystem(
  random: SeededRandom,
  codec: ErasureCodec,
  { k, rows, distance, lossPercent, symbolBytes }: (typeof SYSTEMS)[number],
): { count: number; blocks: RepairEquations[] } {
  const symbols = randomSymbols(random, k + 3 * distance, symbolBytes);
  let count = 0;
  const unknownOf = symbols.map(() => (random.u32() % 100 < lossPercent && count < 64 ? count++ : -1));
  const blocks = [0, 1, 2, 3].map((index) => {
    const first = index * distance;
    const covered = symbols.slice(first, first + k);
    return {
      symbols: covered.map((symbol, j) => (unknownOf[first + j] === -1 ? symbol : undefined)),
      unknowns: covered.map((_, j) => unknownOf[first + j] as number),
      rows: Array.from({ length: rows }, (_, row) => row + index),
      repair: codec.encode(k, rows, covered, symbolBytes, index).map((symbol) => symbol.slice()),
    };
  });
  return { count, blocks };
}

export function digest(codec: ErasureCodec): string {
  const hash = createHash('sha256');
  const random = new SeededRandom(2024);
  for (const [k, r, symbolBytes] of SHAPES) {
    const symbols = randomSymbols(random, k, symbolBytes);
    const repair = codec.encode(k, r, symbols, symbolBytes).map((symbol) => symbol.slice());
    for (const symbol of repair) hash.update(symbol);
    const lost = Math.min(k, r);
    const held: (Uint8Array | undefined)[] = symbols.map((symbol, j) => (j % k < lost ? undefined : symbol));
    hash.update(`${codec.decode(k, held, [...repair.keys()].reverse(), repair.toReversed(), symbolBytes)}`);
    for (const symbol of held) hash.update(symbol ?? 'missing');
  }
  for (const system of SYSTEMS) {
    for (let i = 0; i < 8; i++) {
      const { count, blocks } = jointSystem(random, codec, system);
      for (const symbol of codec.solve(count, blocks, system.symbolBytes))
        hash.update(symbol ?? 'undetermined');
    }
  }
  return hash.digest('hex');
}

/** Digest of each build that this JavaScript engine runs. */
export function digests(): Record<string, string> {
  return Object.fromEntries(
    ENGINES.filter(supportsEngine).map((engine) => [engine, digest(loadCodec(engine))]),
  );
}

if (process.argv[1]?.endsWith('fec-digest.ts')) process.stdout.write(JSON.stringify(digests()));
