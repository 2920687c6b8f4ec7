import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import type { ErasureCodec, RepairEquations } from '../../src/fec/codec.ts';
import { loadCodec, supportsEngine } from '../../src/fec/kernel.ts';
import { digest, ENGINES } from '../helpers/fec-digest.ts';

const RUNS = 20_000;

/** Numbers a peer or a careless caller could give: edges, lies and nonsense, beside sound ones. */
function anyNumber(random: SeededRandom, sound: number): number {
  const odd = [
    -1,
    0,
    1,
    64,
    65,
    254,
    255,
    256,
    1472,
    1473,
    65_536,
    2 ** 31,
    2 ** 32 + 1,
    1e300,
    0.5,
    Number.NaN,
  ];
  return random.u32() % 4 === 0 ? (odd[random.u32() % odd.length] as number) : sound;
}

function anyBytes(random: SeededRandom, length: number): Uint8Array {
  const lies = [0, 1, 1471, 1472, 1473, 1601, 70_000];
  return new Uint8Array(random.u32() % 40 === 0 ? (lies[random.u32() % lies.length] as number) : length);
}

const many = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, i) => make(i));

function anyBlock(random: SeededRandom, unknownCount: number, symbolBytes: number): RepairEquations {
  const k = random.u32() % 20;
  const rows = random.u32() % 8;
  let unknown = 0;
  const symbols = many(k, () => (random.u32() % 3 === 0 ? undefined : anyBytes(random, symbolBytes)));
  return {
    symbols,
    unknowns: symbols.map((symbol) =>
      symbol ? -1 : anyNumber(random, unknown++ % Math.max(1, unknownCount)),
    ),
    rows: many(rows, (row) => anyNumber(random, row)),
    repair: many(random.u32() % 30 === 0 ? rows + 1 : rows, () => anyBytes(random, symbolBytes)),
  };
}

/** One call with lying sizes. */
function anyCall(rs: ErasureCodec, random: SeededRandom): unknown {
  const k = 1 + (random.u32() % 30);
  const r = 1 + (random.u32() % 10);
  const symbolBytes = 1 + (random.u32() % 80);
  const count = random.u32() % 20 === 0 ? k + 1 : k;
  const claimed = anyNumber(random, symbolBytes);
  switch (random.u32() % 3) {
    case 0: {
      const symbols = many(count, () => anyBytes(random, symbolBytes));
      return rs.encode(anyNumber(random, k), anyNumber(random, r), symbols, claimed, anyNumber(random, 3));
    }
    case 1: {
      const symbols = many(count, () => (random.u32() % 4 === 0 ? undefined : anyBytes(random, symbolBytes)));
      const rows = many(r, (row) => anyNumber(random, row));
      return rs.decode(
        anyNumber(random, k),
        symbols,
        rows,
        many(r, () => anyBytes(random, symbolBytes)),
        claimed,
      );
    }
    default: {
      const unknownCount = random.u32() % 65;
      const blocks = many(random.u32() % 5, () => anyBlock(random, unknownCount, symbolBytes));
      return rs.solve(anyNumber(random, unknownCount), blocks, claimed);
    }
  }
}

describe.each(ENGINES.filter(supportsEngine))('the %s build under lying sizes', (engine) => {
  const seed = (Date.now() ^ (process.pid << 16)) >>> 0;

  it(`throws nothing but RangeError and TypeError, and works on afterwards (seed ${seed})`, () => {
    const random = new SeededRandom(seed);
    const rs = loadCodec(engine);
    let refused = 0;
    let done = 0;
    for (let run = 0; run < RUNS; run++) {
      try {
        anyCall(rs, random);
        done++;
      } catch (error) {
        // Ours name the argument that must be otherwise; a RangeError of the kernel's memory does not.
        const isOurs = error instanceof RangeError || error instanceof TypeError;
        if (!isOurs || !/ must | stands for /.test(error.message)) throw error;
        refused++;
      }
    }
    // Both must be common, or the calls are all sound or all nonsense and nothing was fuzzed.
    expect(done).toBeGreaterThan(RUNS / 20);
    expect(refused).toBeGreaterThan(RUNS / 20);
    expect(digest(rs)).toBe(digest(loadCodec('typescript')));
  });
});
