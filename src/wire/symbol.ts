/**
 * Source symbols, and the SYMBOL and REPAIR frames that carry them. A source symbol holds its own small header so that
 * one rebuilt by FEC can be placed without anything else. Source: docs/wire-format.md §3.6; RFC 6363.
 */
import { Reader, varintSize, type Writer } from '../base/bytes.ts';
import { WireError } from '../base/errors.ts';
import { FrameType, type ParseResult } from './frame-types.ts';

/** A media frame has at most 16 MiB. */
export const MEDIA_FRAME_BYTES_MAX = 16_777_216;
/** Symbols of one media frame. */
export const SYMBOLS_PER_FRAME_MAX = 65_535;
/** Symbol ids from the first to the last of one block: a receiver remembers no more, and refuses the repair of longer ones. */
export const BLOCK_SPAN_MAX = 4_096;

/** Flags of a media frame, in its symbol of index 0. */
export const SymbolFlag = { KEY_FRAME: 1, DISCARDABLE: 2, DURATION: 4 } as const;

const LEN = 1;
const PART = 2;
const RESENT = 4;
const SYMBOL_IDS = 16_777_216;

/** zigzag(x) = 2x for x >= 0, -2x-1 for x < 0: small numbers of either sign stay small. */
export function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

/** Inverse of {@link zigzag}. */
export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** Largest timestamp magnitude that survives zigzag in 2^53-1. */
export const TIMESTAMP_US_MAX: number = Math.floor(Number.MAX_SAFE_INTEGER / 2);

/** Header of one source symbol; also what to write. Reused. Durations and timestamps are integer microseconds. */
export class SourceSymbolHeader {
  /** Low 16 bits of the sender's clock in ms. */
  sendTimeMs = 0;
  frameLength = 0;
  index = 0;
  count = 1;
  /** Index 0 only, as the four below. */
  flags = 0;
  frameId = 0;
  timestampUs = 0;
  /** -1: absent. */
  durationUs = -1;
  /** Where the data begin in the symbol. */
  dataAt = 0;
  readonly #reader: Reader = new Reader();

  /** Parses and checks the numbers against each other. Data that follow may be zero-padded. */
  parse(symbol: Uint8Array): ParseResult {
    const reader = this.#reader.reset(symbol);
    this.sendTimeMs = reader.u16();
    this.frameLength = reader.varint();
    this.index = reader.varint();
    this.count = reader.varint();
    this.flags = 0;
    this.durationUs = -1;
    if (this.index === 0) {
      this.flags = reader.u8();
      this.frameId = reader.varint();
      this.timestampUs = unzigzag(reader.varint());
      if ((this.flags & SymbolFlag.DURATION) !== 0) this.durationUs = reader.varint();
    }
    this.dataAt = reader.at;
    const isBad =
      reader.failed ||
      this.frameLength > MEDIA_FRAME_BYTES_MAX ||
      this.count < 1 ||
      this.count > SYMBOLS_PER_FRAME_MAX ||
      this.index >= this.count ||
      this.count > Math.max(1, this.frameLength) ||
      reader.remaining < this.dataBytes;
    return isBad ? WireError.FRAME_ENCODING_ERROR : 0;
  }

  /** Bytes of the media frame in every symbol but the last: S of the wire format. */
  get stepBytes(): number {
    return Math.ceil(this.frameLength / this.count);
  }

  /** Where this symbol's data lie in the media frame. */
  get offset(): number {
    return Math.min(this.index * this.stepBytes, this.frameLength);
  }

  /** Bytes of the media frame in this symbol. */
  get dataBytes(): number {
    return Math.min(this.stepBytes, this.frameLength - this.offset);
  }

  /** Bytes this header takes when written. */
  get size(): number {
    let size = 2 + varintSize(this.frameLength) + varintSize(this.index) + varintSize(this.count);
    if (this.index === 0) {
      size += 1 + varintSize(this.frameId) + varintSize(zigzag(this.timestampUs));
      if (this.durationUs >= 0) size += varintSize(this.durationUs);
    }
    return size;
  }

  write(writer: Writer): void {
    writer.u16(this.sendTimeMs & 0xffff);
    writer.varint(this.frameLength);
    writer.varint(this.index);
    writer.varint(this.count);
    if (this.index !== 0) return;
    const duration = this.durationUs >= 0 ? SymbolFlag.DURATION : 0;
    writer.u8((this.flags & ~SymbolFlag.DURATION) | duration);
    writer.varint(this.frameId);
    writer.varint(zigzag(this.timestampUs));
    if (duration !== 0) writer.varint(this.durationUs);
  }
}

/** The full symbol ID nearest to `near` (the next expected one) that has these low 24 bits; never negative. */
export function expandSymbolId(low: number, near: number): number {
  const candidate = near - (near % SYMBOL_IDS) + low;
  if (candidate > near + SYMBOL_IDS / 2 && candidate >= SYMBOL_IDS) return candidate - SYMBOL_IDS;
  if (candidate < near - SYMBOL_IDS / 2) return candidate + SYMBOL_IDS;
  return candidate;
}

/** One parsed SYMBOL frame, reused. `bytes` is a view of the packet. */
export class SymbolFrame {
  trackId = 0;
  /** Low 24 bits. */
  symbolId = 0;
  isResent = false;
  isPart = false;
  partOffset = 0;
  /** Bytes of the whole source symbol; equals bytes.length unless `isPart`. */
  symbolBytes = 0;
  bytes: Uint8Array = new Uint8Array(0);

  parse(reader: Reader, type: number): ParseResult {
    this.trackId = reader.varint();
    this.symbolId = reader.u24();
    this.isResent = (type & RESENT) !== 0;
    this.isPart = (type & PART) !== 0;
    this.partOffset = this.isPart ? reader.varint() : 0;
    const whole = this.isPart ? reader.varint() : 0;
    this.bytes = reader.take((type & LEN) !== 0 ? reader.varint() : reader.remaining);
    this.symbolBytes = this.isPart ? whole : this.bytes.length;
    if (reader.failed || this.bytes.length === 0) return WireError.FRAME_ENCODING_ERROR;
    if (this.isPart && this.partOffset + this.bytes.length > whole) return WireError.FRAME_ENCODING_ERROR;
    return this.symbolBytes > 65_535 ? WireError.FRAME_ENCODING_ERROR : 0;
  }
}

/** Bytes of a SYMBOL header. `length` -1: to the end of the packet; `partOffset` -1: a whole symbol. */
export function symbolHeaderSize(
  trackId: number,
  partOffset: number,
  symbolBytes: number,
  length: number,
): number {
  const part = partOffset >= 0 ? varintSize(partOffset) + varintSize(symbolBytes) : 0;
  return 1 + varintSize(trackId) + 3 + part + (length >= 0 ? varintSize(length) : 0);
}

/** Writes a SYMBOL header; the caller copies `length` bytes behind it. */
export function writeSymbolHeader(
  writer: Writer,
  trackId: number,
  symbolId: number,
  isResent: boolean,
  partOffset: number,
  symbolBytes: number,
  length: number,
): void {
  const isPart = partOffset >= 0;
  writer.u8(FrameType.SYMBOL | (length >= 0 ? LEN : 0) | (isPart ? PART : 0) | (isResent ? RESENT : 0));
  writer.varint(trackId);
  writer.u24(symbolId % SYMBOL_IDS);
  if (isPart) {
    writer.varint(partOffset);
    writer.varint(symbolBytes);
  }
  if (length >= 0) writer.varint(length);
}

/** One parsed REPAIR frame, reused. `bytes` is a view of the packet. */
export class RepairFrame {
  trackId = 0;
  /** Low 24 bits of the block's first symbol ID. */
  first = 0;
  stride = 1;
  k = 1;
  row = 0;
  bytes: Uint8Array = new Uint8Array(0);

  parse(reader: Reader, type: number): ParseResult {
    this.trackId = reader.varint();
    this.first = reader.u24();
    this.stride = reader.varint();
    this.k = reader.u8();
    this.row = reader.u8();
    this.bytes = reader.take((type & LEN) !== 0 ? reader.varint() : reader.remaining);
    const isBad =
      reader.failed ||
      this.bytes.length === 0 ||
      this.k < 1 ||
      this.k + this.row > 254 ||
      this.stride < 1 ||
      this.stride > SYMBOLS_PER_FRAME_MAX;
    return isBad ? WireError.FRAME_ENCODING_ERROR : 0;
  }
}

/** Bytes of a REPAIR header. */
export function repairHeaderSize(trackId: number, stride: number, length: number): number {
  return 1 + varintSize(trackId) + 3 + varintSize(stride) + 2 + (length >= 0 ? varintSize(length) : 0);
}

/** Writes a REPAIR header; the caller copies `length` bytes behind it (-1: to the end of the packet). */
export function writeRepairHeader(
  writer: Writer,
  trackId: number,
  first: number,
  stride: number,
  k: number,
  row: number,
  length: number,
): void {
  writer.u8(FrameType.REPAIR | (length >= 0 ? LEN : 0));
  writer.varint(trackId);
  writer.u24(first % SYMBOL_IDS);
  writer.varint(stride);
  writer.u8(k);
  writer.u8(row);
  if (length >= 0) writer.varint(length);
}
