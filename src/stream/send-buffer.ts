/**
 * Bytes written by the application and not yet acknowledged, in pooled chunks: copied in once, written from there
 * into packets, freed in order as they are acknowledged. Finding the chunk of an offset is O(1) in the usual case
 * (the same or the next one) and O(log chunks) otherwise.
 */
import { assert } from '../base/assert.ts';
import type { Writer } from '../base/bytes.ts';

/** What a busy stream buffers in. */
const LARGE_CHUNK_BYTES = 65_536;
/** What a stream with one small message buffers in: 1024 idle streams must not cost 64 MiB. */
const SMALL_CHUNK_BYTES = 4_096;
/** Free chunks kept for reuse, of each size: 4 MiB and 256 KiB. */
const FREE_CHUNKS_MAX = 64;
/** Freed slots at the head of the deque before it is compacted. */
const DEAD_SLOTS_MAX = 64;

/** Part of a stream: `bytes[0]` is the byte at offset `start`. */
export interface Chunk {
  readonly bytes: Uint8Array;
  start: number;
  /** Exclusive stream offset. */
  end: number;
}

const NO_CHUNK: Chunk = { bytes: new Uint8Array(0), start: 0, end: 0 };

/** Chunks shared by all streams of a connection. */
export class ChunkPool {
  readonly #large: Chunk[] = [];
  readonly #small: Chunk[] = [];

  take(start: number, isLarge: boolean): Chunk {
    const chunk = (isLarge ? this.#large : this.#small).pop();
    if (chunk === undefined) {
      return { bytes: new Uint8Array(isLarge ? LARGE_CHUNK_BYTES : SMALL_CHUNK_BYTES), start, end: start };
    }
    chunk.start = start;
    chunk.end = start;
    return chunk;
  }

  give(chunk: Chunk): void {
    const free = chunk.bytes.length === LARGE_CHUNK_BYTES ? this.#large : this.#small;
    if (free.length < FREE_CHUNKS_MAX) free.push(chunk);
  }
}

/** The unacknowledged part [start, end) of one stream. */
export class SendBuffer {
  readonly #pool: ChunkPool;
  /** Live chunks are those from `#head` on, ascending, without holes. */
  readonly #chunks: Chunk[] = [];
  #head = 0;
  /** Where the last read ended: the next one most likely begins there. */
  #cursor = 0;
  /** Exclusive end: bytes ever appended. */
  end = 0;

  constructor(pool: ChunkPool) {
    this.#pool = pool;
  }

  /** Copies all of `bytes` to the end. */
  append(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const chunk = this.#roomyTail(bytes.length - at);
      const used = chunk.end - chunk.start;
      const size = Math.min(bytes.length - at, chunk.bytes.length - used);
      chunk.bytes.set(size === bytes.length ? bytes : bytes.subarray(at, at + size), used);
      chunk.end += size;
      this.end += size;
      at += size;
    }
  }

  #roomyTail(wanted: number): Chunk {
    const isEmpty = this.#head === this.#chunks.length;
    if (!isEmpty) {
      const tail = this.#chunks[this.#chunks.length - 1] as Chunk;
      if (tail.end - tail.start < tail.bytes.length) return tail;
    }
    const chunk = this.#pool.take(this.end, !isEmpty || wanted > SMALL_CHUNK_BYTES);
    this.#chunks.push(chunk);
    return chunk;
  }

  /** Copies [offset, offset + length), which must be buffered, into a packet. */
  copyTo(writer: Writer, offset: number, length: number): void {
    let index = this.#find(offset);
    let at = offset;
    const end = offset + length;
    while (at < end) {
      const chunk = this.#chunks[index] as Chunk;
      const stop = Math.min(end, chunk.end);
      writer.copy(chunk.bytes.subarray(at - chunk.start, stop - chunk.start));
      at = stop;
      this.#cursor = index++;
    }
  }

  /** Index of the chunk that holds `offset`. */
  #find(offset: number): number {
    const chunks = this.#chunks;
    for (
      let near = Math.max(this.#cursor, this.#head);
      near <= this.#cursor + 1 && near < chunks.length;
      near++
    ) {
      const chunk = chunks[near] as Chunk;
      if (chunk.start <= offset && offset < chunk.end) return near;
    }
    let low = this.#head;
    let high = chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((chunks[middle] as Chunk).end <= offset) low = middle + 1;
      else high = middle;
    }
    assert(low < chunks.length && (chunks[low] as Chunk).start <= offset, 'stream bytes are buffered');
    return low;
  }

  /** Frees every chunk that lies below `offset` as a whole. */
  release(offset: number): void {
    const chunks = this.#chunks;
    while (this.#head < chunks.length && (chunks[this.#head] as Chunk).end <= offset) {
      this.#pool.give(chunks[this.#head] as Chunk);
      // The slot must not keep a chunk alive that another stream uses now.
      chunks[this.#head] = NO_CHUNK;
      this.#head++;
    }
    if (this.#head > DEAD_SLOTS_MAX && this.#head * 2 > chunks.length) this.#compact();
  }

  #compact(): void {
    this.#chunks.splice(0, this.#head);
    this.#cursor = Math.max(0, this.#cursor - this.#head);
    this.#head = 0;
  }

  /** Frees everything. */
  clear(): void {
    this.release(this.end);
    this.#chunks.length = 0;
    this.#head = 0;
    this.#cursor = 0;
  }
}
