import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import type { ErasureCodec } from '../../src/fec/codec.ts';
import { BlockDecoder, DECODER_LIMITS } from '../../src/fec/decoder.ts';
import { BlockEncoder } from '../../src/fec/encoder.ts';
import { codec as kernel } from '../../src/fec/kernel.ts';
import { coefficient, MatrixCodec, reduce } from '../helpers/matrix-codec.ts';

interface Repair {
  readonly first: number;
  readonly stride: number;
  readonly k: number;
  readonly row: number;
  readonly bytes: Uint8Array;
}
type Arrival = { readonly id: number } | Repair;

const codec = new MatrixCodec();
const encoder = new BlockEncoder(codec);
/** The plain stand-in, and the one that connections use. */
const CODECS: readonly ErasureCodec[] = [codec, kernel()];

function integer(random: SeededRandom, low: number, high: number): number {
  return low + (random.u32() % (high - low + 1));
}

function makeSymbols(random: SeededRandom, count: number): Uint8Array[] {
  return Array.from({ length: count }, () => {
    const bytes = new Uint8Array(integer(random, 1, 6));
    random.fill(bytes);
    return bytes;
  });
}

function makeRepair(random: SeededRandom, symbols: readonly Uint8Array[], blocks: number): Repair[] {
  const repair: Repair[] = [];
  for (let b = 0; b < blocks; b++) {
    const stride = integer(random, 1, 3);
    const k = integer(random, 1, Math.min(20, Math.floor((symbols.length - 1) / stride) + 1));
    const first = integer(random, 0, symbols.length - 1 - (k - 1) * stride);
    const covered = Array.from({ length: k }, (_, i) => symbols[first + i * stride] as Uint8Array);
    const firstRow = integer(random, 0, 5);
    const rows = integer(random, 1, 4);
    encoder.encode(covered, firstRow, rows).forEach((bytes, i) => {
      repair.push({ first, stride, k, row: firstRow + i, bytes });
    });
  }
  return repair;
}

function shuffle<Item>(random: SeededRandom, items: Item[]): Item[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = integer(random, 0, i);
    [items[i], items[j]] = [items[j] as Item, items[i] as Item];
  }
  return items;
}

/** What elimination over every repair symbol at once determines: ids beside those in `known`. */
function determined(symbolCount: number, known: ReadonlySet<number>, repair: readonly Repair[]): Set<number> {
  const missing = Array.from({ length: symbolCount }, (_, id) => id).filter((id) => !known.has(id));
  const rows = repair.map(({ first, stride, k, row }) => {
    const line: number[] = new Array(missing.length).fill(0);
    for (let j = 0; j < k; j++) {
      const column = missing.indexOf(first + j * stride);
      if (column >= 0) line[column] = coefficient(k, row, j);
    }
    return line;
  });
  const found = new Set<number>();
  reduce(rows, missing.length).forEach((column, i) => {
    if ((rows[i] as number[]).filter((value) => value !== 0).length === 1)
      found.add(missing[column] as number);
  });
  return found;
}

function run(seed: number, codec: ErasureCodec): { rebuilt: number } {
  const random = new SeededRandom(seed);
  const symbols = makeSymbols(random, integer(random, 4, 60));
  const repair = makeRepair(random, symbols, integer(random, 1, 8));
  const lossRatio = random.unit();
  const received = symbols.map((_, id) => id).filter(() => random.unit() >= lossRatio);
  const arrivals: Arrival[] = [
    ...received.map((id) => ({ id })),
    ...repair.filter(() => random.unit() > 0.1),
  ];
  for (let i = arrivals.length; i > 0; i--) {
    if (random.unit() < 0.1) arrivals.push(arrivals[i - 1] as Arrival);
  }
  shuffle(random, arrivals);
  const decoder = new BlockDecoder(codec);
  const known = new Set<number>();
  const atHand: Repair[] = [];
  const rebuilt = new Set<number>();
  for (const arrival of arrivals) {
    if ('id' in arrival) {
      expect(decoder.onSymbol(arrival.id, symbols[arrival.id] as Uint8Array)).toBe(0);
      known.add(arrival.id);
    } else {
      expect(decoder.onRepair(arrival.first, arrival.stride, arrival.k, arrival.row, arrival.bytes)).toBe(0);
      atHand.push(arrival);
    }
    decoder.takeRebuilt((id, bytes) => {
      expect(known.has(id) || rebuilt.has(id), `symbol ${id} rebuilt though it was there`).toBe(false);
      rebuilt.add(id);
      const truth = symbols[id] as Uint8Array;
      const padded = new Uint8Array(bytes.length);
      padded.set(truth);
      expect(bytes).toEqual(padded);
    });
    if (random.unit() < 0.2 || arrival === arrivals.at(-1)) {
      for (const id of determined(symbols.length, known, atHand)) {
        expect(rebuilt.has(id), `symbol ${id} could be rebuilt`).toBe(true);
      }
    }
  }
  expect(decoder.repairCount).toBeLessThanOrEqual(atHand.length);
  return { rebuilt: rebuilt.size };
}

describe('the joint decoder rebuilds everything that elimination over all repair symbols determines', () => {
  for (let batch = 0; batch < 8; batch++) {
    test(`for random overlapping blocks, losses and orders of arrival, seeds ${batch * 100}..${batch * 100 + 99}`, () => {
      let rebuilt = 0;
      for (let seed = batch * 100; seed < batch * 100 + 100; seed++) {
        try {
          rebuilt += run(seed, CODECS[batch % 2] as ErasureCodec).rebuilt;
        } catch (error) {
          throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
        }
      }
      expect(rebuilt).toBeGreaterThan(100);
    });
  }
});

describe('the joint decoder stays within its bounds', () => {
  for (let seed = 1; seed <= 6; seed++) {
    test(`when fed arbitrary numbers, seed ${seed}`, () => {
      const random = new SeededRandom(seed);
      const limits = { ...DECODER_LIMITS, symbolsMax: 256, symbolBytesMax: 2000, repairMax: 40 };
      const decoder = new BlockDecoder(codec, limits);
      const scales = [4, 64, 300, 5000, 2 ** 24, 2 ** 50];
      const number = (): number =>
        Math.floor(random.unit() * (scales[random.u32() % scales.length] as number));
      let edge = 0;
      for (let i = 0; i < 3000; i++) {
        const bytes = new Uint8Array(integer(random, 1, 12));
        random.fill(bytes);
        const choice = random.u32() % 16;
        if (choice < 6) decoder.onSymbol(edge + (random.u32() % 40), bytes);
        else if (choice < 12) {
          const first = Math.max(0, edge - 50 + (random.u32() % 100));
          const k = random.unit() < 0.2 ? 1 + (random.u32() % 200) : 1 + (random.u32() % 30);
          decoder.onRepair(first, 1 + (random.u32() % 3), k, random.u32() % 50, bytes);
        } else if (choice === 12)
          decoder.onRepair(edge + number(), number(), random.u32() & 255, random.u32() & 255, bytes);
        else if (choice === 13) decoder.takeRebuilt(() => {});
        else if (choice === 14) decoder.dropBelow(Math.max(0, edge - 60));
        else edge += random.u32() % 30;
        expect(decoder.heldBytes).toBeLessThanOrEqual(limits.symbolBytesMax);
        expect(decoder.repairCount).toBeLessThanOrEqual(limits.repairMax);
        expect(decoder.repairCount).toBeGreaterThanOrEqual(0);
      }
      decoder.takeRebuilt(() => {});
      decoder.dropBelow(edge + 1_000_000);
      expect(decoder.isIdle).toBe(true);
      expect(decoder.repairCount).toBe(0);
      expect(decoder.heldBytes).toBe(0);
    });
  }
});
