/**
 * Media frames of a reliable track as records on its stream: length, flags, timestamp, duration, bytes.
 * In: media frames, or pieces of the stream in order. Out: a record header, or media frames.
 * Source: docs/wire-format.md §3.6.
 */
import { varintSize, Writer } from '../base/bytes.ts';
import { WireError } from '../base/errors.ts';
import { MEDIA_FRAME_BYTES_MAX, SymbolFlag, unzigzag, zigzag } from '../wire/symbol.ts';
import { checkMediaFrame } from './sent-frame.ts';
import type { MediaFrameOptions } from './types.ts';

/** A media frame as it came off a reliable track. */
export interface MediaRecord {
  /** Owned by the taker. */
  readonly data: Uint8Array;
  readonly timestampUs: number;
  readonly durationUs: number | undefined;
  readonly keyFrame: boolean;
  readonly discardable: boolean;
}

/** Header of the record for a media frame of `length` bytes, which the caller writes behind it. Throws as `send` does. */
export function encodeRecordHeader(length: number, options: MediaFrameOptions): Uint8Array {
  checkMediaFrame(length, options);
  const { durationUs } = options;
  const timestamp = zigzag(options.timestampUs);
  const duration = durationUs === undefined ? 0 : varintSize(durationUs);
  const writer = new Writer().reset(
    new Uint8Array(varintSize(length) + 1 + varintSize(timestamp) + duration),
  );
  writer.varint(length);
  const key = options.keyFrame === true ? SymbolFlag.KEY_FRAME : 0;
  const discardable = options.discardable === true ? SymbolFlag.DISCARDABLE : 0;
  writer.u8(key | discardable | (durationUs === undefined ? 0 : SymbolFlag.DURATION));
  writer.varint(timestamp);
  if (durationUs !== undefined) writer.varint(durationUs);
  return writer.bytes;
}

/** Length, flags, timestamp, duration at the most. */
const HEADER_BYTES_MAX = 8 + 1 + 8 + 8;
/** The first buffer of a media frame: it grows with what arrives, never with what is claimed. */
const FIRST_BUFFER_BYTES = 65_536;

/** Takes a stream apart into media frames, however it is cut. */
export class RecordDecoder {
  readonly #header: Uint8Array = new Uint8Array(HEADER_BYTES_MAX);
  #headerBytes = 0;
  /** -1: the header is not complete yet. */
  #length = -1;
  #flags = 0;
  #timestampUs = 0;
  #durationUs = -1;
  #data: Uint8Array = EMPTY;
  #dataBytes = 0;

  /** True between two records: where a stream may end. */
  get isAtBoundary(): boolean {
    return this.#length < 0 && this.#headerBytes === 0;
  }

  /**
   * Feeds the next bytes of the stream; `take` gets every media frame that they complete.
   *
   * @returns 0, or the WireError to stop the stream with.
   */
  push(bytes: Uint8Array, take: (record: MediaRecord) => void): number {
    let at = 0;
    for (;;) {
      if (this.#length < 0) {
        while (this.#length < 0) {
          if (at >= bytes.length) return 0;
          this.#header[this.#headerBytes++] = bytes[at++] as number;
          const error = this.#readHeader();
          if (error !== 0) return error;
        }
      }
      const size = Math.min(bytes.length - at, this.#length - this.#dataBytes);
      this.#append(bytes.subarray(at, at + size));
      at += size;
      if (this.#dataBytes < this.#length) return 0;
      take(this.#finish());
    }
  }

  /** Sets `#length` and the rest once the header is complete. */
  #readHeader(): number {
    const header = this.#header;
    const lengthSize = 1 << ((header[0] as number) >> 6);
    if (this.#headerBytes <= lengthSize + 1) return 0;
    const timestampAt = lengthSize + 1;
    const durationAt = timestampAt + (1 << ((header[timestampAt] as number) >> 6));
    const flags = header[lengthSize] as number;
    let end = durationAt;
    if ((flags & SymbolFlag.DURATION) !== 0) {
      if (this.#headerBytes <= durationAt) return 0;
      end = durationAt + (1 << ((header[durationAt] as number) >> 6));
    }
    if (this.#headerBytes < end) return 0;
    const length = readVarint(header, 0);
    const timestamp = readVarint(header, timestampAt);
    const duration = end > durationAt ? readVarint(header, durationAt) : -1;
    if (
      length > MEDIA_FRAME_BYTES_MAX ||
      timestamp > Number.MAX_SAFE_INTEGER ||
      duration > Number.MAX_SAFE_INTEGER
    ) {
      return WireError.FRAME_ENCODING_ERROR;
    }
    this.#flags = flags;
    this.#timestampUs = unzigzag(timestamp);
    this.#durationUs = duration;
    this.#length = length;
    this.#data = new Uint8Array(Math.min(length, FIRST_BUFFER_BYTES));
    return 0;
  }

  #append(piece: Uint8Array): void {
    const needed = this.#dataBytes + piece.length;
    if (needed > this.#data.length) {
      const grown = new Uint8Array(Math.min(this.#length, Math.max(needed, this.#data.length * 2)));
      grown.set(this.#data.subarray(0, this.#dataBytes));
      this.#data = grown;
    }
    this.#data.set(piece, this.#dataBytes);
    this.#dataBytes = needed;
  }

  #finish(): MediaRecord {
    const record: MediaRecord = {
      data: this.#data.subarray(0, this.#dataBytes),
      timestampUs: this.#timestampUs,
      durationUs: this.#durationUs >= 0 ? this.#durationUs : undefined,
      keyFrame: (this.#flags & SymbolFlag.KEY_FRAME) !== 0,
      discardable: (this.#flags & SymbolFlag.DISCARDABLE) !== 0,
    };
    this.#headerBytes = 0;
    this.#length = -1;
    this.#data = EMPTY;
    this.#dataBytes = 0;
    return record;
  }
}

const EMPTY: Uint8Array = new Uint8Array(0);

/** The varint at `at`; above 2^53-1 it comes out as an unsafe integer, which the caller refuses. */
function readVarint(bytes: Uint8Array, at: number): number {
  const size = 1 << ((bytes[at] as number) >> 6);
  let value = (bytes[at] as number) & 0x3f;
  for (let i = 1; i < size; i++) value = value * 256 + (bytes[at + i] as number);
  return value;
}
