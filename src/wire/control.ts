/**
 * Small control frames: writers, one per frame, each with a fixed upper bound of its size; readers are inline in the
 * frame handlers, for their fields are varints in order. Source: RFC 9000 §19; docs/wire-format.md §3.
 */
import type { Reader, Writer } from '../base/bytes.ts';
import { FrameType } from './frame-types.ts';

/** Room that any frame of this file but CONNECTION_CLOSE and TRACK fits in: a type and three varints of 8 bytes. */
export const CONTROL_FRAME_BYTES_MAX = 25;
/** A close reason on the wire, bytes of UTF-8. */
export const REASON_BYTES_MAX = 256;

/** A frame of a type and up to three varints: RESET_STREAM, MAX_*, *_BLOCKED, TRACK_END, TRACK_STOP and so on. */
export function writeControlFrame(writer: Writer, type: number, a?: number, b?: number, c?: number): void {
  writer.u8(type);
  if (a !== undefined) writer.varint(a);
  if (b !== undefined) writer.varint(b);
  if (c !== undefined) writer.varint(c);
}

/** PATH_CHALLENGE or PATH_RESPONSE with its 8 bytes. */
export function writePathFrame(writer: Writer, type: number, data: Uint8Array): void {
  writer.u8(type);
  writer.copy(data);
}

/** DATAGRAM_SIZE: packets of exactly `sizeBytes` have no Length from now on. */
export function writeDatagramSize(writer: Writer, sizeBytes: number): void {
  writer.u8(FrameType.DATAGRAM_SIZE);
  writer.u16(sizeBytes);
}

/** TRACK: one piece of a track's announcement. */
export function writeTrackPiece(
  writer: Writer,
  trackId: number,
  announcementBytes: number,
  offset: number,
  piece: Uint8Array,
): void {
  writer.u8(FrameType.TRACK);
  writer.varint(trackId);
  writer.varint(announcementBytes);
  writer.varint(offset);
  writer.varint(piece.length);
  writer.copy(piece);
}

/** Largest header of a TRACK frame. */
export const TRACK_PIECE_HEADER_BYTES_MAX: number = 1 + 8 + 2 + 2 + 2;

/** CONNECTION_CLOSE (transport: `frameType` is the type that caused it, 0 unknown; application: -1). */
export function writeClose(
  writer: Writer,
  isApplication: boolean,
  errorCode: number,
  frameType: number,
  reason: Uint8Array,
): void {
  writer.u8(isApplication ? FrameType.APPLICATION_CLOSE : FrameType.CONNECTION_CLOSE);
  writer.varint(errorCode);
  if (!isApplication) writer.varint(frameType);
  const fits = reason.subarray(0, Math.min(reason.length, REASON_BYTES_MAX, Math.max(0, writer.room - 2)));
  writer.varint(fits.length);
  writer.copy(fits);
}

/** What a CONNECTION_CLOSE says. */
export interface CloseFrame {
  readonly isApplication: boolean;
  readonly errorCode: number;
  readonly reason: string;
}

/** Reads a CONNECTION_CLOSE; undefined if it is malformed. Rare: it may allocate. */
export function readClose(reader: Reader, type: number): CloseFrame | undefined {
  const isApplication = type === FrameType.APPLICATION_CLOSE;
  const errorCode = reader.varint();
  if (!isApplication) reader.varint();
  const bytes = reader.take(reader.varint());
  if (reader.failed) return undefined;
  return { isApplication, errorCode, reason: decodeText(bytes.subarray(0, REASON_BYTES_MAX)) };
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** UTF-8 to text; bytes that are no UTF-8 become U+FFFD, control characters spaces: it may end up in a terminal. */
export function decodeText(bytes: Uint8Array): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: replacing them is the purpose.
  return decoder.decode(bytes).replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}

/** Text to UTF-8, cut to at most `maxBytes` at a character boundary. */
export function encodeText(text: string, maxBytes: number): Uint8Array {
  const bytes = encoder.encode(text);
  if (bytes.length <= maxBytes) return bytes;
  let end = maxBytes;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
