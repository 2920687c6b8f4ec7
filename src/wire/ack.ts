/** ACK and TRACK_ACK frames. Source: docs/wire-format.md §3.1, §3.6; RFC 9000 §19.3. */
import { type Reader, varintSize, type Writer } from '../base/bytes.ts';
import { WireError } from '../base/errors.ts';
import type { Ranges } from '../base/ranges.ts';
import { FrameType, type ParseResult } from './frame-types.ts';

/** Ranges in one ACK. */
export const ACK_RANGES_MAX = 64;
/** Receive times in one ACK. */
export const ACK_TIMES_MAX = 128;
/** Ranges, and incomplete media frames, in one TRACK_ACK. */
export const TRACK_ACK_RANGES_MAX = 32;
/** Receive times count in units of this many microseconds. */
const TIME_UNIT_US = 8;

/** One parsed ACK, reused. */
export class AckFrame {
  largest = 0;
  delayUs = 0;
  rangeCount = 0;
  /** Lowest and highest (inclusive) packet number of each range, descending: range 0 holds the largest. */
  readonly starts: Float64Array = new Float64Array(ACK_RANGES_MAX);
  readonly ends: Float64Array = new Float64Array(ACK_RANGES_MAX);
  timeCount = 0;
  /**
   * Receive times on the peer's clock, us: entry i belongs to the i-th highest acknowledged packet number. The first
   * holds the low 32 bits; the others follow from it and may be negative or exceed 32 bits.
   */
  readonly times: Float64Array = new Float64Array(ACK_TIMES_MAX);

  parse(reader: Reader): ParseResult {
    this.largest = reader.varint();
    this.delayUs = reader.varint();
    const furtherRanges = reader.varint();
    if (reader.failed || furtherRanges >= ACK_RANGES_MAX) return WireError.FRAME_ENCODING_ERROR;
    this.rangeCount = furtherRanges + 1;
    let end = this.largest;
    let start = end - reader.varint();
    let numbers = end - start + 1;
    this.starts[0] = start;
    this.ends[0] = end;
    for (let i = 1; i <= furtherRanges; i++) {
      end = start - reader.varint() - 2;
      start = end - reader.varint();
      if (start < 0) return WireError.FRAME_ENCODING_ERROR;
      numbers += end - start + 1;
      this.starts[i] = start;
      this.ends[i] = end;
    }
    if (start < 0 || reader.failed) return WireError.FRAME_ENCODING_ERROR;
    return this.#parseTimes(reader, numbers);
  }

  #parseTimes(reader: Reader, numbers: number): ParseResult {
    const count = reader.varint();
    if (count > ACK_TIMES_MAX || count > numbers) return WireError.FRAME_ENCODING_ERROR;
    this.timeCount = count;
    if (count > 0) {
      let time = reader.u32();
      this.times[0] = time;
      for (let i = 1; i < count; i++) {
        const zigzag = reader.varint();
        const delta = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
        time += delta * TIME_UNIT_US;
        this.times[i] = time;
      }
    }
    return reader.failed ? WireError.FRAME_ENCODING_ERROR : 0;
  }
}

/** The smallest ACK worth writing: type, largest, delay, counts, first range, no times. */
const ACK_BYTES_MIN = 1 + 8 + 8 + 2 + 8 + 2;

/**
 * Writes an ACK of the highest ranges that fit.
 *
 * @param ranges Received packet numbers, not empty.
 * @param timeCount How many of the highest numbers to give receive times for, 0..128.
 * @param timeOf Receive time of a number in `ranges`, us.
 * @returns False if there is no room for the smallest form; nothing is written then.
 */
export function writeAck(
  writer: Writer,
  ranges: Ranges,
  delayUs: number,
  timeCount: number,
  timeOf: (packetNumber: number) => number,
): boolean {
  if (writer.room < ACK_BYTES_MIN || ranges.count === 0) return false;
  const top = ranges.count - 1;
  const largest = ranges.end(top) - 1;
  // A range costs at most 16 bytes; times get half of what is left.
  const rangesFit = Math.floor((writer.room - ACK_BYTES_MIN) / 2 / 8);
  const further = Math.min(top, ACK_RANGES_MAX - 1, Math.max(0, rangesFit));
  writer.u8(FrameType.ACK);
  writer.varint(largest);
  writer.varint(delayUs);
  writer.varint(further);
  let start = ranges.start(top);
  writer.varint(largest - start);
  let written = 0;
  for (let i = 1; i <= further; i++) {
    const end = ranges.end(top - i) - 1;
    const gap = start - end - 2;
    start = ranges.start(top - i);
    writer.varint(gap);
    writer.varint(end - start);
    written = i;
  }
  writeTimes(writer, ranges, top - written, timeCount, timeOf);
  return true;
}

/** Writes the times of the highest numbers, down to range `lowest`, as many as the room allows. */
function writeTimes(
  writer: Writer,
  ranges: Ranges,
  lowest: number,
  timeCount: number,
  timeOf: (packetNumber: number) => number,
): void {
  // Count (2) and first time (4); a delta takes at most 8 bytes, usually 1 or 2.
  const fits = Math.floor((writer.room - 6) / 8);
  let available = 0;
  for (let i = ranges.count - 1; i >= lowest && available < timeCount; i--) {
    available += ranges.end(i) - ranges.start(i);
  }
  const count = Math.max(0, Math.min(timeCount, available, fits, ACK_TIMES_MAX));
  writer.varint(count);
  let left = count;
  let previous = 0;
  for (let i = ranges.count - 1; left > 0; i--) {
    for (let number = ranges.end(i) - 1; number >= ranges.start(i) && left > 0; number--) {
      const time = timeOf(number);
      if (left === count) {
        writer.u32(time);
        previous = time;
      } else {
        const delta = Math.round((time - previous) / TIME_UNIT_US);
        writer.varint(delta >= 0 ? delta * 2 : -delta * 2 - 1);
        previous += delta * TIME_UNIT_US;
      }
      left--;
    }
  }
}

/** One parsed TRACK_ACK, reused. */
export class TrackAckFrame {
  trackId = 0;
  floor = 0;
  rangeCount = 0;
  /** First symbol ID and one past the last of each range of complete media frames, ascending. */
  readonly starts: Float64Array = new Float64Array(TRACK_ACK_RANGES_MAX);
  readonly ends: Float64Array = new Float64Array(TRACK_ACK_RANGES_MAX);
  incompleteCount = 0;
  /** Symbol ID of index 0, and symbols still needed, of each incomplete media frame. */
  readonly firsts: Float64Array = new Float64Array(TRACK_ACK_RANGES_MAX);
  readonly missing: Float64Array = new Float64Array(TRACK_ACK_RANGES_MAX);

  parse(reader: Reader): ParseResult {
    this.trackId = reader.varint();
    this.floor = reader.varint();
    const rangeCount = reader.varint();
    if (rangeCount > TRACK_ACK_RANGES_MAX) return WireError.FRAME_ENCODING_ERROR;
    this.rangeCount = rangeCount;
    let at = this.floor;
    for (let i = 0; i < rangeCount; i++) {
      at += reader.varint();
      this.starts[i] = at;
      at += reader.varint();
      this.ends[i] = at;
    }
    const incompleteCount = reader.varint();
    if (incompleteCount > TRACK_ACK_RANGES_MAX) return WireError.FRAME_ENCODING_ERROR;
    this.incompleteCount = incompleteCount;
    let first = this.floor;
    for (let i = 0; i < incompleteCount; i++) {
      first += reader.varint();
      this.firsts[i] = first;
      this.missing[i] = reader.varint();
    }
    const isBad = reader.failed || at > Number.MAX_SAFE_INTEGER || first > Number.MAX_SAFE_INTEGER;
    return isBad ? WireError.FRAME_ENCODING_ERROR : 0;
  }
}

/**
 * Writes a TRACK_ACK: the highest 32 ranges, and `incompleteCount` entries.
 *
 * @param complete Symbol IDs of complete media frames, none below `floor`.
 * @param firsts Ascending, none below `floor`. Shape [>= incompleteCount], as `missing`.
 * @returns False if it does not fit; nothing is written then.
 */
export function writeTrackAck(
  writer: Writer,
  trackId: number,
  floor: number,
  complete: Ranges,
  incompleteCount: number,
  firsts: ArrayLike<number>,
  missing: ArrayLike<number>,
): boolean {
  const rangeCount = Math.min(complete.count, TRACK_ACK_RANGES_MAX);
  const skipped = complete.count - rangeCount;
  const base = skipped > 0 ? Math.max(floor, complete.start(skipped)) : floor;
  let size = 1 + varintSize(trackId) + varintSize(base) + 2;
  let at = base;
  for (let i = skipped; i < complete.count; i++) {
    size += varintSize(complete.start(i) - at) + varintSize(complete.end(i) - complete.start(i));
    at = complete.end(i);
  }
  let from = 0;
  while (from < incompleteCount && (firsts[from] as number) < base) from++;
  let previous = base;
  for (let i = from; i < incompleteCount; i++) {
    size += varintSize((firsts[i] as number) - previous) + varintSize(missing[i] as number);
    previous = firsts[i] as number;
  }
  if (size > writer.room) return false;
  writer.u8(FrameType.TRACK_ACK);
  writer.varint(trackId);
  writer.varint(base);
  writer.varint(rangeCount);
  at = base;
  for (let i = skipped; i < complete.count; i++) {
    writer.varint(complete.start(i) - at);
    writer.varint(complete.end(i) - complete.start(i));
    at = complete.end(i);
  }
  writer.varint(incompleteCount - from);
  previous = base;
  for (let i = from; i < incompleteCount; i++) {
    writer.varint((firsts[i] as number) - previous);
    writer.varint(missing[i] as number);
    previous = firsts[i] as number;
  }
  return true;
}
