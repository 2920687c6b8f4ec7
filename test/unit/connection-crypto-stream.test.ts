import { describe, expect, test } from 'vitest';
import { WireError } from '../../src/base/errors.ts';
import { CryptoReceive, HANDSHAKE_BYTES_MAX } from '../../src/connection/crypto-stream.ts';
import { bytesInUse } from '../helpers/memory.ts';
import { patternBytes } from '../helpers/pattern.ts';

/** What can be read now. */
function readAll(stream: CryptoReceive): Buffer {
  const pieces: Uint8Array[] = [];
  for (let piece = stream.read(); piece !== undefined; piece = stream.read()) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('handshake bytes that arrive', () => {
  test('come out in order, from pieces in any order that overlap', () => {
    const sent = patternBytes(0, HANDSHAKE_BYTES_MAX);
    const stream = new CryptoReceive();
    const starts = Array.from({ length: 66 }, (_, i) => (i * 37) % 66);
    const got: Uint8Array[] = [];
    for (const start of starts) {
      const at = start * 1_000;
      expect(stream.insert(at, sent.subarray(at, Math.min(sent.length, at + 1_100)))).toBe(0);
      got.push(readAll(stream));
    }
    expect(Buffer.compare(Buffer.concat(got), sent)).toBe(0);
    expect(stream.read()).toBeUndefined();
  });

  test('are known when they come again', () => {
    const stream = new CryptoReceive();
    stream.insert(100, patternBytes(100, 50));
    expect([stream.has(100, 150), stream.has(120, 130), stream.has(99, 110)]).toEqual([true, true, false]);
  });

  test('beyond what a handshake may have end it', () => {
    const stream = new CryptoReceive();
    expect(stream.insert(HANDSHAKE_BYTES_MAX - 1, new Uint8Array(2))).toBe(WireError.CRYPTO_BUFFER_EXCEEDED);
    expect(stream.insert(HANDSHAKE_BYTES_MAX - 1, new Uint8Array(1))).toBe(0);
  });

  test('one here and one there end it soon', () => {
    const stream = new CryptoReceive();
    const results = Array.from({ length: 100 }, (_, i) => stream.insert(10_000 - 2 * i, new Uint8Array(1)));
    expect(results.indexOf(WireError.CRYPTO_BUFFER_EXCEEDED)).toBe(64);
  });

  test('cost what came, not what may come', () => {
    const before = bytesInUse();
    const streams = Array.from({ length: 100 }, () => {
      const stream = new CryptoReceive();
      stream.insert(HANDSHAKE_BYTES_MAX - 1, new Uint8Array(1));
      return stream;
    });
    expect(bytesInUse() - before).toBeLessThan(2_000_000);
    expect(streams).toHaveLength(100);
  });
});
