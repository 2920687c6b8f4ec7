/** STREAM, CRYPTO and DATAGRAM frames. Source: RFC 9000 §19.6, §19.8; RFC 9221 §4. */
import { type Reader, varintSize, type Writer } from '../base/bytes.ts';
import { WireError } from '../base/errors.ts';
import { FrameType, type ParseResult } from './frame-types.ts';

const FIN = 1;
const LEN = 2;
const OFF = 4;

/** One parsed STREAM frame, reused. `bytes` is a view of the datagram. */
export class StreamFrame {
  streamId = 0;
  offset = 0;
  bytes: Uint8Array = new Uint8Array(0);
  isFin = false;

  parse(reader: Reader, type: number): ParseResult {
    this.streamId = reader.varint();
    this.offset = (type & OFF) !== 0 ? reader.varint() : 0;
    this.bytes = reader.take((type & LEN) !== 0 ? reader.varint() : reader.remaining);
    this.isFin = (type & FIN) !== 0;
    if (reader.failed) return WireError.FRAME_ENCODING_ERROR;
    return this.offset + this.bytes.length > Number.MAX_SAFE_INTEGER ? WireError.FLOW_CONTROL_ERROR : 0;
  }
}

/** Bytes of a STREAM header; `length` -1: the frame extends to the end of the packet. */
export function streamHeaderSize(streamId: number, offset: number, length: number): number {
  return (
    1 + varintSize(streamId) + (offset > 0 ? varintSize(offset) : 0) + (length >= 0 ? varintSize(length) : 0)
  );
}

export function writeStreamHeader(
  writer: Writer,
  streamId: number,
  offset: number,
  length: number,
  isFin: boolean,
): void {
  writer.u8(FrameType.STREAM | (offset > 0 ? OFF : 0) | (length >= 0 ? LEN : 0) | (isFin ? FIN : 0));
  writer.varint(streamId);
  if (offset > 0) writer.varint(offset);
  if (length >= 0) writer.varint(length);
}

/** One parsed CRYPTO frame, reused. */
export class CryptoFrame {
  offset = 0;
  bytes: Uint8Array = new Uint8Array(0);

  parse(reader: Reader): ParseResult {
    this.offset = reader.varint();
    this.bytes = reader.take(reader.varint());
    return reader.failed ? WireError.FRAME_ENCODING_ERROR : 0;
  }
}

/** Largest header of a CRYPTO frame below 64 KiB. */
export const CRYPTO_HEADER_BYTES_MAX: number = 1 + 4 + 2;

export function writeCryptoFrame(writer: Writer, offset: number, bytes: Uint8Array): void {
  writer.u8(FrameType.CRYPTO);
  writer.varint(offset);
  writer.varint(bytes.length);
  writer.copy(bytes);
}

/** Bytes of a DATAGRAM frame with its Length. */
export function datagramFrameSize(length: number): number {
  return 1 + varintSize(length) + length;
}

export function writeDatagramFrame(writer: Writer, bytes: Uint8Array): void {
  writer.u8(FrameType.DATAGRAM | 1);
  writer.varint(bytes.length);
  writer.copy(bytes);
}

/** The message of a DATAGRAM frame: a view of the packet; `reader.failed` says whether it is whole. */
export function readDatagramFrame(reader: Reader, type: number): Uint8Array {
  return reader.take((type & 1) !== 0 ? reader.varint() : reader.remaining);
}
