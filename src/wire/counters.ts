/**
 * COUNTERS: what one end has sent, taken and turned away, told to the other at the close and on request, so that "lost on
 * the path" and "rejected by the peer" can be told apart. Source: docs/wire-format.md §3.8; DESIGN D15.
 */
import type { Reader, Writer } from '../base/bytes.ts';
import { WireError } from '../base/errors.ts';
import { FrameType, type ParseResult } from './frame-types.ts';

/** Counters of one end since the start of the connection; 1-RTT packets only. */
export interface EndCounters {
  packetsSent: number;
  /** Authentic, the first of their number. */
  packetsReceived: number;
  /** Sent, and neither acknowledged nor on their way. */
  packetsUnacknowledged: number;
  /** Packets turned away, by reason (docs/statistics.md). */
  rejectedAuthentication: number;
  rejectedDuplicate: number;
  rejectedMalformed: number;
  rejectedKeys: number;
  /** Media frames of incoming tracks whose fate is known. */
  framesInTime: number;
  framesLate: number;
  framesLost: number;
  /** Complete and in time, but the application did not take them. */
  framesUntaken: number;
  /** Bytes that wait for the application now. */
  waitingBytes: number;
}

/** In the order of the wire. Later ones are appended. */
const NAMES: readonly (keyof EndCounters)[] = [
  'packetsSent',
  'packetsReceived',
  'packetsUnacknowledged',
  'rejectedAuthentication',
  'rejectedDuplicate',
  'rejectedMalformed',
  'rejectedKeys',
  'framesInTime',
  'framesLate',
  'framesLost',
  'framesUntaken',
  'waitingBytes',
];

/** Values of a COUNTERS frame at the most. */
export const COUNTERS_MAX = 32;
/** Largest COUNTERS frame written here, bytes. */
export const COUNTERS_FRAME_BYTES_MAX: number = 2 + 8 * NAMES.length;

/** All zero. */
export function noCounters(): EndCounters {
  return Object.fromEntries(NAMES.map((name) => [name, 0])) as unknown as EndCounters;
}

/** Writes the frame; the caller has seen that {@link COUNTERS_FRAME_BYTES_MAX} fit. */
export function writeCounters(writer: Writer, counters: Readonly<EndCounters>): void {
  writer.u8(FrameType.COUNTERS);
  writer.varint(NAMES.length);
  for (const name of NAMES) writer.varint(counters[name]);
}

/** Reads the frame behind its type into `into`: what is missing is 0, what is not known here is skipped. Rare. */
export function readCounters(reader: Reader, into: EndCounters): ParseResult {
  const count = reader.varint();
  if (reader.failed || count > COUNTERS_MAX) return WireError.FRAME_ENCODING_ERROR;
  for (const name of NAMES) into[name] = 0;
  for (let i = 0; i < count; i++) {
    const value = reader.varint();
    const name = NAMES[i];
    if (name !== undefined) into[name] = value;
  }
  return reader.failed ? WireError.FRAME_ENCODING_ERROR : 0;
}
