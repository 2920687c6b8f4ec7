/**
 * What the erasure-code bench compares: every build of ours, the npm package and a native addon, each doing the same
 * work from the same separate symbols. Copies in and out are part of the work: symbols arrive as datagrams.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ReedSolomonErasure } from '@digitaldefiance/reed-solomon-erasure.wasm';
import type { ErasureCodec } from '../../src/fec/codec.ts';

export const SYMBOL_BYTES = 1200;

export type Op = 'encode' | 'decode' | 'decode1';

/** One block: its symbols and how many of the first ones the decoder misses. */
export interface Block {
  readonly k: number;
  readonly r: number;
  readonly symbols: readonly Uint8Array[];
  readonly repair: readonly Uint8Array[];
}

/** Runs the operation once; asynchronous only where the library is. */
export type Run = () => unknown;

export interface Contender {
  readonly engine: ErasureCodec['engine'] | 'package' | 'ronomon';
  /** Undefined if the library does not do that size. */
  prepare(op: Op, block: Block): Run | undefined;
}

/** How many symbols each operation rebuilds. */
export function lostSymbols(op: Op, { k, r }: Block): number {
  if (op === 'encode') return 0;
  return op === 'decode1' ? 1 : Math.min(k, r);
}

/** Ours: the public interface as it is. */
export function codecContender(codec: ErasureCodec): Contender {
  return {
    engine: codec.engine,
    prepare(op, block) {
      const { k, r, symbols, repair } = block;
      if (op === 'encode') return () => codec.encode(k, r, symbols, SYMBOL_BYTES);
      const lost = lostSymbols(op, block);
      const rows = repair.map((_, row) => row);
      const held: (Uint8Array | undefined)[] = [...symbols];
      return () => {
        held.fill(undefined, 0, lost);
        if (codec.decode(k, held, rows, repair, SYMBOL_BYTES) !== lost) throw new Error('decode failed');
      };
    },
  };
}

/** The npm package: one contiguous buffer, so symbols are copied in, and rebuilt ones out to memory of their own. */
export function packageContender(): Contender {
  // Its own loader looks for __dirname, which ES modules do not have.
  const binary = createRequire(import.meta.url).resolve('@digitaldefiance/reed-solomon-erasure.wasm/wasm');
  const library = ReedSolomonErasure.fromBytes(readFileSync(binary));
  return {
    engine: 'package',
    prepare(op, block) {
      const { k, r, symbols, repair } = block;
      const buffer = new Uint8Array((k + r) * SYMBOL_BYTES);
      const lost = lostSymbols(op, block);
      const all = [...symbols, ...repair];
      const available = all.map((_, index) => index >= lost);
      const held: Uint8Array[] = [...symbols];
      const used = op === 'encode' ? k : k + r;
      return () => {
        for (let i = lost; i < used; i++) buffer.set(all[i] as Uint8Array, i * SYMBOL_BYTES);
        const result =
          op === 'encode' ? library.encode(buffer, k, r) : library.reconstruct(buffer, k, r, available);
        if (result !== ReedSolomonErasure.RESULT_OK) throw new Error(`package failed: ${result}`);
        for (let i = 0; i < lost; i++) held[i] = buffer.slice(i * SYMBOL_BYTES, (i + 1) * SYMBOL_BYTES);
      };
    },
  };
}

/** `encode` of the addon makes whatever the target bits name, repair and source alike, on a thread of its own. */
interface Ronomon {
  readonly MAX_K: number;
  readonly MAX_M: number;
  create(k: number, m: number): object;
  encode(
    context: object,
    sources: number,
    targets: number,
    buffer: Buffer,
    bufferOffset: number,
    bufferSize: number,
    parity: Buffer,
    parityOffset: number,
    paritySize: number,
    callback: (error?: Error) => void,
  ): void;
}

/** The native addon, one block at a time; undefined where it is not installed: it needs a compiler, we do not. */
export function ronomonContender(): Contender | undefined {
  let library: Ronomon;
  try {
    library = createRequire(import.meta.url)('@ronomon/reed-solomon');
  } catch {
    return undefined;
  }
  return {
    engine: 'ronomon',
    prepare(op, block) {
      const { k, r, symbols } = block;
      if (k > library.MAX_K || r > library.MAX_M) return undefined;
      const context = library.create(k, r);
      const buffer = Buffer.alloc(k * SYMBOL_BYTES);
      const parity = Buffer.alloc(r * SYMBOL_BYTES);
      const lost = lostSymbols(op, block);
      const data = 2 ** k - 1;
      const targets = op === 'encode' ? (2 ** r - 1) * 2 ** k : 2 ** lost - 1;
      const sources = op === 'encode' ? data : (2 ** (k + r) - 1) ^ targets;
      // Its matrix is another, so its repair symbols are its own.
      return () => {
        for (let i = lost; i < k; i++) buffer.set(symbols[i] as Uint8Array, i * SYMBOL_BYTES);
        return new Promise<void>((resolve, reject) => {
          library.encode(
            context,
            sources,
            targets,
            buffer,
            0,
            buffer.length,
            parity,
            0,
            parity.length,
            (error) => (error ? reject(error) : resolve()),
          );
        });
      };
    },
  };
}
