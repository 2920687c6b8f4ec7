import { describe, expect, test } from 'vitest';
import { rowCoefficients } from '../../src/fec/coefficients.ts';
import { BlockDecoder, DECODER_LIMITS, RepairReason } from '../../src/fec/decoder.ts';
import { BlockEncoder } from '../../src/fec/encoder.ts';
import { MatrixCodec, coefficient as oracle } from '../helpers/matrix-codec.ts';

const codec = new MatrixCodec();
const encoder = new BlockEncoder(codec);

function symbol(id: number, length = 3): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (id * 7 + i * 31 + 1) & 255);
}
function parity(first: number, k: number, row: number, stride = 1): Uint8Array {
  const symbols = Array.from({ length: k }, (_, i) => symbol(first + i * stride));
  return encoder.encode(symbols, row, 1)[0] as Uint8Array;
}
function take(decoder: BlockDecoder): Map<number, Uint8Array> {
  const rebuilt = new Map<number, Uint8Array>();
  decoder.takeRebuilt((id, bytes) => rebuilt.set(id, bytes));
  return rebuilt;
}
function feed(decoder: BlockDecoder, ids: readonly number[]): void {
  for (const id of ids) expect(decoder.onSymbol(id, symbol(id))).toBe(RepairReason.OK);
}

describe('block encoder', () => {
  test('pads to the longest symbol and hands out arrays that later calls do not touch', () => {
    const rows = encoder.encode([symbol(1, 2), symbol(2, 5)], 0, 2);
    expect(rows.map((row) => row.length)).toEqual([5, 5]);
    const before = Uint8Array.from(rows[0] as Uint8Array);
    encoder.encode([symbol(9, 5), symbol(8, 5)], 0, 2);
    expect(rows[0]).toEqual(before);
  });

  test('makes later rows that equal those of one larger call', () => {
    const symbols = [symbol(1), symbol(2), symbol(3)];
    const all = encoder.encode(symbols, 0, 4);
    expect(encoder.encode(symbols, 2, 2)).toEqual(all.slice(2));
  });
});

describe('coefficients', () => {
  test('equal the generator formula of the wire format', () => {
    const out = new Uint8Array(1);
    for (const [k, row, j] of [
      [1, 0, 0],
      [1, 252, 0],
      [4, 1, 2],
      [10, 3, 9],
      [100, 29, 50],
      [254, 0, 253],
    ] as const) {
      rowCoefficients(k, row, Uint8Array.of(j), 1, out);
      expect(out[0]).toBe(oracle(k, row, j));
    }
  });
});

describe('joint decoder', () => {
  test('rebuilds one missing symbol from one repair symbol, whichever comes first', () => {
    const repairLast = new BlockDecoder(codec);
    feed(repairLast, [0, 1, 3]);
    expect(repairLast.onRepair(0, 1, 4, 0, parity(0, 4, 0))).toBe(RepairReason.OK);
    expect(take(repairLast)).toEqual(new Map([[2, symbol(2)]]));

    const repairFirst = new BlockDecoder(codec);
    repairFirst.onRepair(0, 1, 4, 0, parity(0, 4, 0));
    feed(repairFirst, [3, 1]);
    expect(take(repairFirst).size).toBe(0);
    feed(repairFirst, [0]);
    expect(take(repairFirst)).toEqual(new Map([[2, symbol(2)]]));
  });

  test('hands a rebuilt symbol over once and ignores its late original', () => {
    const decoder = new BlockDecoder(codec);
    feed(decoder, [0]);
    decoder.onRepair(0, 1, 2, 0, parity(0, 2, 0));
    expect(take(decoder).size).toBe(1);
    expect(take(decoder).size).toBe(0);
    feed(decoder, [1]);
    expect(take(decoder).size).toBe(0);
    expect(decoder.rebuiltCount).toBe(1);
  });

  test('solves overlapping blocks together where each alone has too few repair symbols', () => {
    const decoder = new BlockDecoder(codec);
    feed(decoder, [0, 3, 4, 7]); // 1, 2, 5, 6 are lost
    decoder.onRepair(0, 1, 6, 0, parity(0, 6, 0)); // touches 1 2 5
    decoder.onRepair(0, 1, 6, 1, parity(0, 6, 1));
    decoder.onRepair(2, 1, 6, 0, parity(2, 6, 0)); // touches 2 5 6
    expect(take(decoder).size).toBe(0);
    decoder.onRepair(2, 1, 6, 1, parity(2, 6, 1));
    expect([...take(decoder).keys()].sort()).toEqual([1, 2, 5, 6]);
    expect(decoder.isIdle).toBe(true);
  });

  test('feeds a rebuilt symbol into a further block', () => {
    const decoder = new BlockDecoder(codec);
    feed(decoder, [0, 3]);
    decoder.onRepair(1, 1, 3, 0, parity(1, 3, 0)); // touches 1 2: too few
    decoder.onRepair(0, 1, 2, 0, parity(0, 2, 0)); // gives 1, and with it 2
    expect([...take(decoder).keys()].sort()).toEqual([1, 2]);
  });

  test('uses stride and interleaved blocks against a burst', () => {
    const decoder = new BlockDecoder(codec);
    feed(decoder, [0, 1, 2, 6, 7, 8]); // a burst took 3, 4, 5
    for (let offset = 0; offset < 3; offset++) decoder.onRepair(offset, 3, 3, 0, parity(offset, 3, 0, 3));
    expect([...take(decoder).keys()].sort()).toEqual([3, 4, 5]);
  });

  test('touches no payload before a system determines something', () => {
    const counting = new MatrixCodec();
    const decoder = new BlockDecoder(counting);
    for (let i = 0; i < 10; i++) decoder.onRepair(0, 1, 40, i, parity(0, 40, i));
    for (let id = 0; id < 29; id++) {
      feed(decoder, [id]);
      take(decoder);
    }
    expect(counting.solveCount).toBe(0);
    feed(decoder, [29]);
    expect(take(decoder).size).toBe(10);
    expect(counting.solveCount).toBe(1);
  });

  test('rebuilds old symbols while the newer ones of an overlapping block are still on their way', () => {
    const decoder = new BlockDecoder(codec);
    feed(decoder, [0, 1, 3]);
    decoder.onRepair(0, 1, 20, 0, parity(0, 20, 0)); // sent before symbols 5..19: touches 2, 4, and those
    decoder.onRepair(0, 1, 5, 0, parity(0, 5, 0));
    decoder.onRepair(0, 1, 5, 1, parity(0, 5, 1));
    expect([...take(decoder).keys()].sort()).toEqual([2, 4]);
  });

  test('keeps a block that misses more than 64 symbols until fewer are missing', () => {
    const decoder = new BlockDecoder(codec);
    for (let row = 0; row < 3; row++) decoder.onRepair(0, 1, 100, row, parity(0, 100, row));
    for (let id = 0; id < 97; id++) feed(decoder, [id]);
    expect([...take(decoder).keys()].sort()).toEqual([97, 98, 99]);
  });

  test('rebuilds 64 missing symbols and not 65', () => {
    for (const [missing, expected] of [
      [64, 64],
      [65, 0],
    ] as const) {
      const decoder = new BlockDecoder(codec);
      for (let id = missing; id < 80; id++) feed(decoder, [id]);
      for (let row = 0; row < missing; row++) decoder.onRepair(0, 1, 80, row, parity(0, 80, row));
      expect(take(decoder).size).toBe(expected);
    }
  });

  test('lets a waiting block in once the system it connects to has fallen apart', () => {
    const decoder = new BlockDecoder(codec);
    decoder.onRepair(0, 1, 41, 0, parity(0, 41, 0)); // 0..40
    decoder.onRepair(40, 1, 20, 0, parity(40, 20, 0)); // 40..59: one system of 60
    decoder.onRepair(59, 1, 10, 0, parity(59, 10, 0)); // would make 69
    feed(decoder, [40]); // now 0..39 and 41..59 are apart
    feed(
      decoder,
      Array.from({ length: 9 }, (_, i) => 60 + i),
    ); // so 59 is determined
    expect([...take(decoder).keys()]).toEqual([59]);
  });

  test('keeps symbols below the floor for blocks that reach back, but rebuilds none of them', () => {
    const decoder = new BlockDecoder(codec);
    feed(decoder, [0, 2, 3, 4]);
    decoder.dropBelow(4);
    decoder.onRepair(0, 1, 3, 0, parity(0, 3, 0));
    expect(take(decoder).size).toBe(0); // ends below the floor
    decoder.onRepair(0, 1, 6, 0, parity(0, 6, 0)); // touches 1 and 5
    decoder.onRepair(0, 1, 6, 1, parity(0, 6, 1));
    expect([...take(decoder).keys()]).toEqual([5]);
  });

  test('gives blocks up once they end below the floor', () => {
    const decoder = new BlockDecoder(codec);
    decoder.onRepair(0, 1, 4, 0, parity(0, 4, 0));
    decoder.onRepair(4, 1, 4, 0, parity(4, 4, 0));
    decoder.dropBelow(4);
    expect(decoder.repairCount).toBe(1);
    decoder.dropBelow(8);
    expect(decoder.isIdle).toBe(true);
    expect(decoder.droppedCount).toBe(2);
  });

  test('keeps a block that ends below the floor while it may tell of what is still wanted', () => {
    const decoder = new BlockDecoder(codec);
    feed(decoder, [0, 1, 4, 6]);
    // 2, 3 and 5 are missing, of which only 5 is wanted in the end: it takes all three repair symbols.
    decoder.onRepair(0, 1, 4, 0, parity(0, 4, 0));
    decoder.onRepair(2, 1, 4, 0, parity(2, 4, 0));
    decoder.dropBelow(5);
    expect(decoder.repairCount).toBe(2);
    decoder.onRepair(3, 1, 4, 0, parity(3, 4, 0));
    expect([...take(decoder)]).toEqual([[5, symbol(5)]]);
    decoder.dropBelow(6);
    expect(decoder.isIdle).toBe(true);
  });

  test('ignores repair symbols that are repeated or not needed', () => {
    const decoder = new BlockDecoder(codec);
    feed(decoder, [0, 1]);
    expect(decoder.onRepair(0, 1, 2, 0, parity(0, 2, 0))).toBe(RepairReason.OK);
    decoder.onRepair(0, 1, 6, 0, parity(0, 6, 0));
    decoder.onRepair(0, 1, 6, 0, parity(0, 6, 0));
    expect(decoder.unusedCount).toBe(2);
    expect(decoder.repairCount).toBe(1);
  });
});

describe('joint decoder, hostile numbers', () => {
  const bytes = new Uint8Array(3);
  const cases: [string, [number, number, number, number, Uint8Array], number][] = [
    ['k of 0', [0, 1, 0, 0, bytes], RepairReason.MALFORMED],
    ['k + row of 255', [0, 1, 200, 55, bytes], RepairReason.MALFORMED],
    ['a stride of 0', [0, 0, 4, 0, bytes], RepairReason.MALFORMED],
    ['a negative id', [-1, 1, 4, 0, bytes], RepairReason.MALFORMED],
    ['no bytes', [0, 1, 4, 0, new Uint8Array(0)], RepairReason.MALFORMED],
    ['1473 bytes', [0, 1, 4, 0, new Uint8Array(1473)], RepairReason.MALFORMED],
    ['a huge stride', [0, 2 ** 52, 4, 0, bytes], RepairReason.TOO_FAR],
    ['a span of the whole window', [0, 64, 65, 0, bytes], RepairReason.TOO_FAR],
    ['an id far ahead', [1_000_000, 1, 4, 0, bytes], RepairReason.TOO_FAR],
  ];
  for (const [name, args, reason] of cases) {
    test(`refuses ${name}`, () => {
      const decoder = new BlockDecoder(codec);
      expect(decoder.onRepair(...args)).toBe(reason);
      expect(decoder.repairCount).toBe(0);
    });
  }

  test('refuses what begins before the window, and a length that differs within a block', () => {
    const decoder = new BlockDecoder(codec);
    decoder.onSymbol(10_000, bytes);
    expect(decoder.onSymbol(5, bytes)).toBe(RepairReason.TOO_OLD);
    expect(decoder.onRepair(5000, 1, 4, 0, bytes)).toBe(RepairReason.TOO_OLD);
    expect(decoder.onRepair(10_001, 1, 4, 0, bytes)).toBe(RepairReason.OK);
    expect(decoder.onRepair(10_001, 1, 4, 1, new Uint8Array(4))).toBe(RepairReason.INCONSISTENT);
  });

  test('survives a symbol id at the far end of the number range', () => {
    const decoder = new BlockDecoder(codec);
    decoder.onRepair(0, 1, 4, 0, bytes);
    expect(decoder.onSymbol(Number.MAX_SAFE_INTEGER - 1, bytes)).toBe(RepairReason.OK);
    expect(decoder.isIdle).toBe(true);
    expect(decoder.onSymbol(Number.NaN, bytes)).toBe(RepairReason.MALFORMED);
    expect(decoder.onSymbol(2 ** 60, bytes)).toBe(RepairReason.MALFORMED);
  });

  test('keeps at most 512 repair symbols and 32 waiting blocks, the newest', () => {
    const decoder = new BlockDecoder(codec);
    for (let i = 0; i < 600; i++) decoder.onRepair(i * 2, 1, 2, 0, bytes);
    expect(decoder.repairCount).toBe(DECODER_LIMITS.repairMax);
    const waiting = new BlockDecoder(codec);
    for (let i = 0; i < 100; i++) waiting.onRepair(i, 1, 100, 0, bytes);
    expect(waiting.repairCount).toBe(32);
  });

  test('keeps at most 4096 symbols and the bytes it was allowed', () => {
    const decoder = new BlockDecoder(codec, { ...DECODER_LIMITS, symbolBytesMax: 300 });
    for (let id = 0; id < 5000; id++) decoder.onSymbol(id, bytes.slice());
    expect(decoder.heldBytes).toBe(300);
    const wide = new BlockDecoder(codec);
    for (let id = 0; id < 9000; id++) wide.onSymbol(id, bytes.slice());
    expect(wide.heldBytes).toBe(4096 * 3);
  });

  test('counts the datagrams that its symbols keep alive, each once for neighbours', () => {
    const decoder = new BlockDecoder(codec);
    const batch = new Uint8Array(60_000);
    const other = new Uint8Array(1_000);
    for (const id of [0, 2, 1, 4]) decoder.onSymbol(id, batch.subarray(id * 100, id * 100 + 3));
    expect(decoder.heldBytes).toBe(2 * 60_000);
    decoder.onSymbol(3, other.subarray(0, 3));
    expect(decoder.heldBytes).toBe(2 * 60_000 + 1_000);
    decoder.keepAtMost(61_000);
    expect(decoder.heldBytes).toBe(61_000);
    decoder.keepAtMost(60_999);
    expect(decoder.heldBytes).toBe(60_000);
    decoder.keepAtMost(0);
    expect(decoder.heldBytes).toBe(0);
  });
});
