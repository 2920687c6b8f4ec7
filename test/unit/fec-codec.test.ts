import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import type { RepairEquations } from '../../src/fec/codec.ts';
import { coefficient } from '../../src/fec/coefficients.ts';
import { divide, multiply } from '../../src/fec/gf256.ts';
import { codec, loadCodec, supportsEngine } from '../../src/fec/kernel.ts';
import { packageEncode } from '../helpers/erasure-package.ts';
import { ENGINES, randomSymbols } from '../helpers/fec-digest.ts';

interface Vector {
  readonly k: number;
  readonly r: number;
  readonly symbolBytes: number;
  readonly dataSha256: string;
  readonly paritySha256: readonly string[];
  readonly parityHead: readonly string[];
}

const { vectors } = JSON.parse(
  readFileSync(new URL('../vectors/reed-solomon.json', import.meta.url), 'utf8'),
) as { vectors: readonly Vector[] };

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** The data of the vectors: one xorshift32 stream through all symbols. */
function vectorSymbols({ k, symbolBytes }: Vector): Uint8Array[] {
  let x = 7;
  const next = () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x & 255;
  };
  return Array.from({ length: k }, () => Uint8Array.from({ length: symbolBytes }, next));
}

const copyAll = (symbols: readonly Uint8Array[]) => symbols.map((symbol) => symbol.slice());

/** Product of two bytes by definition: carry-less, then reduced by x^8 + x^4 + x^3 + x^2 + 1. */
function carrylessProduct(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) if (b & (1 << bit)) product ^= a << bit;
  for (let bit = 14; bit >= 8; bit--) if (product & (1 << bit)) product ^= 0x11d << (bit - 8);
  return product;
}

describe('the field and the matrix', () => {
  it('multiply as carry-less multiplication modulo 0x11D does, and divide as its inverse', () => {
    for (let a = 0; a < 256; a++) {
      for (let b = 0; b < 256; b++) {
        const product = carrylessProduct(a, b);
        if (multiply(a, b) !== product) expect.fail(`${a} * ${b} is ${product}, not ${multiply(a, b)}`);
        if (b !== 0 && divide(product, b) !== a)
          expect.fail(`${product} / ${b} is ${a}, not ${divide(product, b)}`);
      }
    }
  });

  it('have coefficients that interpolate: a row evaluates the polynomial through the source symbols', () => {
    // Symbols that are the values of a polynomial of degree < k at 0..k-1: repair symbol i is its value at k + i.
    const values = (x: number) => [7, 19, 255, 1, 0, 88].reduce((sum, c) => carrylessProduct(sum, x) ^ c, 0);
    for (const k of [6, 7, 30, 200]) {
      for (const row of [0, 1, 254 - k]) {
        let sum = 0;
        for (let j = 0; j < k; j++) sum ^= carrylessProduct(coefficient(k, row, j), values(j));
        expect(sum).toBe(values(k + row));
      }
    }
  });
});

describe('the choice of a build', () => {
  it('takes relaxed where the engine validates it, else strict', () => {
    expect(loadCodec().engine).toBe(supportsEngine('relaxed') ? 'relaxed' : 'strict');
    expect(codec()).toBe(codec());
  });

  it('compiles nothing when imported, and one build on first use', async () => {
    vi.resetModules();
    const { WebAssembly } = globalThis as unknown as { WebAssembly: { Module: new () => object } };
    const compiled = vi.spyOn(WebAssembly, 'Module');
    const decoded = vi.spyOn(globalThis, 'atob');
    const fresh = await import('../../src/fec/kernel.ts');
    expect([compiled.mock.calls.length, decoded.mock.calls.length]).toEqual([0, 0]);
    fresh.codec();
    fresh.codec();
    expect(compiled).toHaveBeenCalledTimes(1);
    vi.restoreAllMocks();
  });

  it('refuses a build that does not exist or does not run', () => {
    expect(() => loadCodec('simd' as 'strict')).toThrow(RangeError);
    if (!supportsEngine('relaxed')) expect(() => loadCodec('relaxed')).toThrow(RangeError);
  });
});

describe.each(ENGINES.filter(supportsEngine))('the %s build', (engine) => {
  const rs = loadCodec(engine);

  it.each(vectors)('gives the fixed vector ($k,$r)', (vector) => {
    const symbols = vectorSymbols(vector);
    expect(sha256(Buffer.concat(symbols))).toBe(vector.dataSha256);
    const repair = rs.encode(vector.k, vector.r, symbols, vector.symbolBytes);
    expect(repair.map((symbol) => Buffer.from(symbol.subarray(0, 16)).toString('hex'))).toEqual(
      vector.parityHead,
    );
    expect(repair.map(sha256)).toEqual(vector.paritySha256);
  });

  it('rebuilds every loss pattern of every block of at most 10 symbols', () => {
    const random = new SeededRandom(10);
    let patterns = 0;
    for (let k = 1; k <= 9; k++) {
      const symbols = randomSymbols(random, k, 5);
      const repair = copyAll(rs.encode(k, 10 - k, symbols, 5));
      for (let lost = 0; lost < 1 << 10; lost++) {
        const held: (Uint8Array | undefined)[] = symbols.map((symbol, j) =>
          lost & (1 << j) ? undefined : symbol,
        );
        const rows = [...repair.keys()].filter((row) => !(lost & (1 << (k + row))));
        const missing = held.filter((symbol) => symbol === undefined).length;
        const result = rs.decode(
          k,
          held,
          rows,
          rows.map((row) => repair[row] as Uint8Array),
          5,
        );
        expect(result).toBe(missing <= rows.length ? missing : null);
        if (result !== null) expect(held).toEqual(symbols);
        patterns++;
      }
    }
    expect(patterns).toBe(9 * 1024);
  });

  it('makes later rows of a block as if they had been asked for at once', () => {
    const symbols = randomSymbols(new SeededRandom(3), 30, 100);
    const all = copyAll(rs.encode(30, 40, symbols, 100));
    expect(copyAll(rs.encode(30, 7, symbols, 100, 33))).toEqual(all.slice(33));
    expect(copyAll(rs.encode(30, 1, symbols, 100, 12))).toEqual([all[12]]);
  });

  it('counts shorter symbols as zero-padded, whatever was in memory before', () => {
    const random = new SeededRandom(4);
    rs.encode(9, 3, randomSymbols(random, 9, 200), 200);
    const short = [200, 1, 0, 77, 199, 64, 3, 120, 48].map(
      (length) => randomSymbols(random, 1, length)[0] as Uint8Array,
    );
    const padded = short.map((symbol) => {
      const whole = new Uint8Array(200);
      whole.set(symbol);
      return whole;
    });
    const repair = copyAll(rs.encode(9, 3, short, 200));
    expect(repair).toEqual(packageEncode(3, padded));
    const held = short.map((symbol, j) => (j === 1 || j === 4 ? undefined : symbol));
    expect(rs.decode(9, held, [0, 2], [repair[0] as Uint8Array, repair[2] as Uint8Array], 200)).toBe(2);
    expect(held[1]).toEqual(padded[1]);
    expect(held[4]).toEqual(padded[4]);
  });

  it('drops wrong rows, counts them, and decodes from the rest', () => {
    const symbols = randomSymbols(new SeededRandom(5), 6, 20);
    const [first, second] = copyAll(rs.encode(6, 2, symbols, 20)) as [Uint8Array, Uint8Array];
    const held: (Uint8Array | undefined)[] = [...symbols];
    held[2] = undefined;
    held[5] = undefined;
    const before = rs.droppedRows;
    const rows = [249, 0, 0, -1, Number.NaN, 0.5, 1e9, 1, 1];
    const repair = [first, first, second, first, first, first, first, second, first];
    expect(rs.decode(6, held, rows, repair, 20)).toBe(2);
    expect(held).toEqual(symbols);
    expect(rs.droppedRows - before).toBe(7);
  });

  it('returns null and leaves the symbols alone when too few are present', () => {
    const symbols = randomSymbols(new SeededRandom(6), 5, 20);
    const repair = copyAll(rs.encode(5, 2, symbols, 20));
    const held = [undefined, undefined, undefined, symbols[3], symbols[4]];
    expect(rs.decode(5, held, [0, 1], repair, 20)).toBeNull();
    expect(rs.decode(5, held, [0, 1, 1], [...repair, repair[1] as Uint8Array], 20)).toBeNull();
    expect(held).toEqual([undefined, undefined, undefined, symbols[3], symbols[4]]);
    expect(rs.decode(5, [...symbols], [], [], 20)).toBe(0);
  });

  it('rebuilds into memory of its own', () => {
    const symbols = randomSymbols(new SeededRandom(7), 4, 30);
    const repair = copyAll(rs.encode(4, 4, symbols, 30));
    const rebuild = () => {
      const held: (Uint8Array | undefined)[] = [undefined, undefined, undefined, undefined];
      rs.decode(4, held, [0, 1, 2, 3], repair, 30);
      return held as Uint8Array[];
    };
    const kept = rebuild();
    for (let i = 0; i < 1000; i++) for (const symbol of rebuild()) symbol.fill(0xee);
    expect(kept).toEqual(symbols);
  });

  it('keeps repair symbols valid until 512 more have been made', () => {
    const random = new SeededRandom(8);
    const made: { view: Uint8Array; expected: Uint8Array }[] = [];
    for (let block = 0; block < 60; block++) {
      // Blocks of 1 to 61 rows: the ring wraps in the middle of some.
      const r = 1 + ((block * 17) % 61);
      const symbolBytes = 1 + (random.u32() % 1472);
      for (const view of rs.encode(2, r, randomSymbols(random, 2, symbolBytes), symbolBytes)) {
        made.push({ view, expected: view.slice() });
      }
      for (const { view, expected } of made.slice(-512)) expect(Buffer.compare(view, expected)).toBe(0);
    }
    expect(made.length).toBeGreaterThan(3 * 512);
    if (engine === 'typescript') return;
    // Zero-copy: all are views of one memory that has not grown, and its 512 slots serve them all.
    expect(new Set(made.map(({ view }) => view.buffer)).size).toBe(1);
    expect(new Set(made.map(({ view }) => view.byteOffset)).size).toBe(512);
    expect(made[0]?.view.buffer.byteLength).toBeGreaterThan(512 * 1472);
  });
});

describe.each(ENGINES.filter(supportsEngine))('the joint solver of the %s build', (engine) => {
  const rs = loadCodec(engine);
  const random = new SeededRandom(9);
  const symbols = randomSymbols(random, 12, 40);

  /** A block over symbols first..first+k-1, of which `missing` are unknown 0, 1, ... in that order. */
  function block(first: number, k: number, rows: number[], missing: readonly number[]): RepairEquations {
    const covered = symbols.slice(first, first + k);
    return {
      symbols: covered.map((symbol, j) => (missing.includes(first + j) ? undefined : symbol)),
      unknowns: covered.map((_, j) => missing.indexOf(first + j)),
      rows,
      repair: rows.map((row) => (rs.encode(k, 1, covered, 40, row)[0] as Uint8Array).slice()),
    };
  }

  it('solves what no block can solve alone', () => {
    const missing = [2, 5, 6, 7];
    const blocks = [block(0, 8, [0, 1], missing), block(4, 8, [0, 1], missing)];
    for (const { symbols: held, rows, repair } of blocks) {
      expect(rs.decode(8, [...held], rows, repair, 40)).toBeNull();
    }
    expect(rs.solve(4, blocks, 40)).toEqual(missing.map((id) => symbols[id]));
  });

  it('returns the determined unknowns of a system that determines only some', () => {
    const missing = [1, 9, 10];
    const solved = rs.solve(3, [block(0, 6, [4], missing), block(6, 6, [2], missing)], 40);
    expect(solved).toEqual([symbols[1], undefined, undefined]);
  });

  it('finds nothing where nothing is determined, and nothing to do where nothing is missing', () => {
    expect(rs.solve(2, [block(0, 6, [0], [1, 2])], 40)).toEqual([undefined, undefined]);
    expect(rs.solve(2, [], 40)).toEqual([undefined, undefined]);
    expect(rs.solve(0, [block(0, 6, [0, 1], [])], 40)).toEqual([]);
  });

  it('ignores equations that others imply, and counts wrong rows', () => {
    const missing = [3, 4];
    const twice = block(0, 6, [0, 1], missing);
    const before = rs.droppedRows;
    const wrong = { ...twice, rows: [0, 0, 249], repair: [...twice.repair, twice.repair[0] as Uint8Array] };
    expect(rs.solve(2, [wrong, twice, twice], 40)).toEqual([symbols[3], symbols[4]]);
    expect(rs.droppedRows - before).toBe(2);
  });

  it('solves 64 unknowns', () => {
    const many = randomSymbols(random, 96, 33);
    const held = many.map((symbol, j) => (j % 3 === 0 ? symbol : undefined));
    const unknowns = many.map((_, j) => Math.floor(j / 3) * 2 + (j % 3) - 1);
    const repair = copyAll(rs.encode(96, 64, many, 33));
    const solved = rs.solve(64, [{ symbols: held, unknowns, rows: [...repair.keys()], repair }], 33);
    expect(solved).toEqual(many.filter((_, j) => j % 3 !== 0));
  });
});
