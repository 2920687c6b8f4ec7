/**
 * Stream IDs: number * 8 + 4 (carries a track) + 2 (unidirectional) + 1 (opened by the server).
 * An ID may have 53 bits: bit operations see its low ones only. Source: docs/wire-format.md §3.3; RFC 9000 §2.1.
 */

/** What a stream is for. A `track` stream is unidirectional, carries one reliable track and is never surfaced as a stream. */
export type StreamKind = 'bidirectional' | 'unidirectional' | 'track';

/** Position of each kind in tables of three. */
export const StreamKindIndex = { bidirectional: 0, unidirectional: 1, track: 2 } as const;
const FROM_SERVER = 1;
const UNIDIRECTIONAL = 2;
const CARRIES_TRACK = 4;
const STRIDE = 8;

/** Most streams of one kind that an ID below 2^53 can name; a MAX_STREAMS above it is malformed. */
export const STREAM_COUNT_MAX: number = 2 ** 50;

/** The ID of stream `number` (from 0) of its kind and opener. */
export function streamId(kind: StreamKind, number: number, isFromServer: boolean): number {
  const track = kind === 'track' ? CARRIES_TRACK : 0;
  const unidirectional = kind === 'bidirectional' ? 0 : UNIDIRECTIONAL;
  return number * STRIDE + track + unidirectional + (isFromServer ? FROM_SERVER : 0);
}

/** True when the server opened it. */
export function isServerStream(id: number): boolean {
  return id % 2 === FROM_SERVER;
}

/** How many streams of its kind and opener come before it. */
export function streamNumber(id: number): number {
  return Math.floor(id / STRIDE);
}

/** The kind, or undefined for the one combination that does not exist: a track on a bidirectional stream. */
export function streamKind(id: number): StreamKind | undefined {
  const isUnidirectional = (id & UNIDIRECTIONAL) !== 0;
  if ((id & CARRIES_TRACK) !== 0) return isUnidirectional ? 'track' : undefined;
  return isUnidirectional ? 'unidirectional' : 'bidirectional';
}
