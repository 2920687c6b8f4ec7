/** The npm package that is byte-compatible with the Rust crate reed-solomon-erasure: the oracle of the erasure code. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ReedSolomonErasure } from '@digitaldefiance/reed-solomon-erasure.wasm';

// Its own loader looks for __dirname, which ES modules do not have.
const binary = createRequire(import.meta.url).resolve('@digitaldefiance/reed-solomon-erasure.wasm/wasm');
const library = ReedSolomonErasure.fromBytes(readFileSync(binary));

/** Repair symbols 0..r-1 of equally long symbols. */
export function packageEncode(r: number, symbols: readonly Uint8Array[]): Uint8Array[] {
  const k = symbols.length;
  const bytes = symbols[0]?.length ?? 0;
  const shards = new Uint8Array((k + r) * bytes);
  for (const [j, symbol] of symbols.entries()) shards.set(symbol, j * bytes);
  const result = library.encode(shards, k, r);
  if (result !== ReedSolomonErasure.RESULT_OK) throw new Error(`the package refuses (${k},${r}): ${result}`);
  return Array.from({ length: r }, (_, row) => shards.slice((k + row) * bytes, (k + row + 1) * bytes));
}
