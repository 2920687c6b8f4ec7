/** What hostile frames may cost the joint decoder: row operations are counted, never time. */
import { describe, expect, test, vi } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { UNKNOWNS_MAX } from '../../src/fec/codec.ts';
import { BlockDecoder } from '../../src/fec/decoder.ts';
import { ROW_OPERATIONS_PER_FRAME_MAX } from '../../src/fec/joint-systems.ts';
import { codec as kernel } from '../../src/fec/kernel.ts';
import { KERNEL_BINARIES } from '../../src/fec/kernel-binary.ts';
import { KernelCodec, type KernelExports } from '../../src/fec/kernel-codec.ts';
import { SymbolWindow } from '../../src/fec/symbol-window.ts';

/** The part of WebAssembly used here: its types are in the DOM library. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
};

const bytes = new Uint8Array(1);
/** One row goes through every other one twice at most: it is reduced by them, and they by it. */
const OWN_ROW_MAX = 2 * UNKNOWNS_MAX;

/** Counts the frames that a decoder is given, and what they cost. */
class Hostile {
  readonly decoder: BlockDecoder = new BlockDecoder(kernel());
  #frames = 0;
  #before = 0;

  repair(first: number, stride: number, k: number, row = 0): void {
    this.#frames++;
    this.decoder.onRepair(first, stride, k, row, bytes);
    this.decoder.takeRebuilt(() => {});
  }

  symbol(id: number): void {
    this.#frames++;
    this.decoder.onSymbol(id, bytes);
    this.decoder.takeRebuilt(() => {});
  }

  /** One system of 64 unknowns; no symbol falls out of it. */
  fill(rows: number): void {
    for (let i = 0; i < rows; i++) this.repair(i % 31, 1, 34, Math.floor(i / 31));
  }

  /** From here on it counts. */
  begin(): void {
    this.#frames = 0;
    this.#before = this.decoder.rowOperations;
  }

  /** Row operations per frame since `begin`. */
  get rowOperations(): number {
    return (this.decoder.rowOperations - this.#before) / this.#frames;
  }
}

describe('elimination by hostile frames', () => {
  test('costs a repair symbol no more than its own row when it takes the place of the oldest', () => {
    const hostile = new Hostile();
    // 24 regions of 64 ids, in each of them blocks of 16 that begin one later each time: 49 rows that overlap.
    for (let n = 0; n < 6000; n++) {
      if (n === 3000) hostile.begin();
      hostile.repair(10 + (Math.floor(n / 49) % 24) * 70 + (n % 49), 1, 16);
    }
    expect(hostile.rowOperations).toBeLessThanOrEqual(OWN_ROW_MAX);
    expect(hostile.decoder.droppedCount).toBeGreaterThan(1000);
  });

  test('costs a symbol nothing when the window slides over one block after the other', () => {
    const hostile = new Hostile();
    for (let i = 0; i < 48; i++) hostile.repair(i, 1, 60 - i);
    expect(hostile.decoder.repairCount).toBe(48);
    hostile.begin();
    for (let i = 0; i < 48; i++) hostile.symbol(4096 + i);
    expect(hostile.rowOperations).toBe(0);
    expect(hostile.decoder.isIdle).toBe(true);
  });

  test('is bounded while a block waits for a system that shrinks symbol by symbol', () => {
    const hostile = new Hostile();
    hostile.fill(48);
    hostile.repair(63, 1, 60);
    hostile.begin();
    for (let id = 0; id < 14; id++) hostile.symbol(20 + id);
    expect(hostile.rowOperations).toBeLessThanOrEqual(ROW_OPERATIONS_PER_FRAME_MAX);
  });

  test('is bounded while a block waits and the floor rises symbol by symbol', () => {
    const hostile = new Hostile();
    hostile.fill(62);
    hostile.repair(63, 1, 100);
    hostile.begin();
    for (let id = 32; id < 64; id++) {
      hostile.symbol(1000 + id);
      hostile.decoder.dropBelow(id);
    }
    expect(hostile.rowOperations).toBeLessThanOrEqual(ROW_OPERATIONS_PER_FRAME_MAX);
  });

  test('costs no more payload than the blocks are long: one long repair symbol does not make the others so', () => {
    const counted: { bytes: number } = { bytes: 0 };
    const module = new WebAssembly.Module(Buffer.from(KERNEL_BINARIES.scalar, 'base64'));
    const { exports } = new WebAssembly.Instance(module);
    const kernelExports = exports as unknown as KernelExports;
    const codec = new KernelCodec('scalar', {
      ...kernelExports,
      multiply: (k, r, source, target, length, accumulate) => {
        counted.bytes += k * r * length;
        kernelExports.multiply(k, r, source, target, length, accumulate);
      },
    });
    const decoder = new BlockDecoder(codec);
    for (let id = 0; id < 2000; id++) if (id % 100 > 0) decoder.onSymbol(id, bytes);
    // A chain of blocks that miss two symbols each; the last gives the first one, and all fall.
    decoder.onRepair(0, 1, 101, 0, new Uint8Array(1472));
    for (let i = 1; i < 19; i++) decoder.onRepair(i * 100, 1, 101, 0, bytes);
    decoder.onRepair(0, 1, 1, 0, bytes);
    expect(decoder.takeRebuilt(() => {})).toBe(20);
    // Right sides: 19 rows of 99 symbols of one byte. Then 20 symbols out of 20 right sides of the longest.
    expect(counted.bytes).toBeLessThanOrEqual(19 * 99 + 20 * 20 * 1472);
  });

  test('looks at two waiting blocks a frame, and not at all 32', () => {
    const looks = vi.spyOn(SymbolWindow.prototype, 'get');
    const hostile = new Hostile();
    // One symbol in four is missing: a block of 254 misses 63, two that overlap miss more than a system may.
    for (let id = 0; id < 2000; id++) if (id % 4 > 0) hostile.symbol(id);
    hostile.repair(0, 1, 254);
    for (let i = 0; i < 32; i++) hostile.repair(236 + i * 4, 1, 250);
    looks.mockClear();
    for (let i = 0; i < 40; i++) hostile.symbol(i * 4);
    // A look passes over its block six times at most: to see what it touches, once more after a split, and to enter it.
    expect(looks.mock.calls.length / 40).toBeLessThanOrEqual(2 * 6 * 255);
    looks.mockRestore();
  });

  for (let seed = 1; seed <= 6; seed++) {
    test(`is bounded whatever comes, seed ${seed}`, () => {
      const random = new SeededRandom(seed);
      const below = (limit: number): number => random.u32() % limit;
      const hostile = new Hostile();
      // Regions that systems fill, how long blocks are, and how much of what comes is repair.
      const regions = 1 + below(30);
      const k = 2 + below(62);
      const repairs = 8 + below(24);
      let edge = 0;
      for (let n = 0; n < 2000; n++) {
        if (n === 500) hostile.begin();
        const at = edge + below(regions) * 70;
        if (below(32) < repairs)
          hostile.repair(at + below(65 - k), 1, k + (below(20) === 0 ? 30 : 0), below(20));
        else hostile.symbol(at + below(70));
        if (below(32) === 0) hostile.symbol(edge + 2000 + below(3) * 1100);
        if (below(32) > 0) continue;
        edge += below(80);
        hostile.decoder.dropBelow(edge);
      }
      expect(hostile.rowOperations).toBeLessThanOrEqual(ROW_OPERATIONS_PER_FRAME_MAX);
    });
  }
});
