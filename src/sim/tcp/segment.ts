/**
 * The segments of the TCP model. Data flows one way; sequence numbers are byte offsets from 0 and do not wrap. Sizes
 * are those of IPv4 with the timestamps option, as Linux sends them.
 */
import type { Micros } from '../../base/protocol.ts';

/** Bytes of one full segment on Ethernet: 1500 - 20 (IPv4) - 20 (TCP) - 12 (timestamps). */
export const SEGMENT_BYTES_MAX = 1_448;
/** IPv4, TCP and timestamps option. */
export const TCP_HEADER_BYTES = 52;
/** SACK blocks that fit beside timestamps (RFC 2018 §3). */
export const SACK_BLOCKS_MAX = 3;

/** Bytes [start, end). */
export interface SackBlock {
  readonly start: number;
  readonly end: number;
}

/** One segment, either way. */
export interface TcpSegment {
  readonly kind: 'syn' | 'syn-ack' | 'data' | 'ack';
  /** First byte carried; of an `ack`, unused. */
  readonly seq: number;
  /** Bytes carried; 0 in a window probe. */
  readonly length: number;
  /** The next byte expected. */
  readonly ack: number;
  /** Bytes that may be sent from `ack` on. */
  readonly window: number;
  /** Most recent first; a first block at or below `ack`, or inside the second, reports a duplicate (RFC 2883). */
  readonly sack: readonly SackBlock[];
  /** TSval: when this segment was sent. */
  readonly sentAtUs: Micros;
  /** TSecr (RFC 7323 §4.3). */
  readonly echoUs: Micros;
}

/** Bytes on the wire. */
export function wireBytes(segment: TcpSegment): number {
  const sackBytes = segment.sack.length === 0 ? 0 : 4 + 8 * segment.sack.length;
  return TCP_HEADER_BYTES + sackBytes + segment.length;
}
